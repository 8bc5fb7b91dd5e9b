import { assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { InputError } from "../../shared/errors.ts";
import { findModel, listModels, modelReference, SHIPPED_MODEL } from "../../shared/models.ts";
import { nearest } from "../../shared/nearest.ts";
import { inTemporaryFolder } from "../helpers/temporary_folder.ts";

async function withModels(run: (folders: [string, string]) => Promise<void>): Promise<void> {
  await inTemporaryFolder(async (root) => {
    const folders: [string, string] = [join(root, "models"), join(root, "shipped")];
    for (
      const [i, name] of [[0, "shoes"], [0, "both"], [1, "both"], [1, "hats"]] as const
    ) {
      await Deno.mkdir(join(folders[i], name), { recursive: true });
      await Deno.writeTextFile(join(folders[i], name, "model.onnx"), "");
    }
    await Deno.mkdir(join(folders[0], "empty"));
    await run(folders);
  });
}

Deno.test("findModel() finds a name in the first folder that has it", async () => {
  await withModels(async (folders) => {
    assertEquals(await findModel("shoes", "model.onnx", folders), join(folders[0], "shoes", "model.onnx"));
    assertEquals(await findModel("both", "model.onnx", folders), join(folders[0], "both", "model.onnx"));
    assertEquals(await findModel("hats", "model.onnx", folders), join(folders[1], "hats", "model.onnx"));
    assertEquals(await listModels(folders), ["both", "hats", "shoes"]);
  });
});

Deno.test("findModel() accepts a folder and a file", async () => {
  await withModels(async (folders) => {
    const file = join(folders[0], "shoes", "model.onnx");
    assertEquals(await findModel(file, "model.onnx", folders), file);
    assertEquals(await findModel(join(folders[0], "shoes"), "model.onnx", folders), file);
    assertEquals(await findModel(`${join(folders[0], "shoes")}/`, "model.onnx", folders), file);
    const metrics = join(folders[0], "shoes", "metrics.json");
    await Deno.writeTextFile(metrics, "");
    assertEquals(await findModel(file, "metrics.json", folders), metrics, "the other file of the folder");
  });
});

Deno.test("findModel() lists the models that exist and suggests the nearest", async () => {
  await withModels(async (folders) => {
    const error = await assertRejects(() => findModel("shoe", "model.onnx", folders), InputError);
    assertEquals(error.code, "not-found");
    assertEquals(error.message, 'Cannot find model "shoe": the models are both, hats, shoes');
    assertEquals(error.hint, 'Did you mean "shoes"?');
    for (const missing of ["empty", "..", "./shoes", "no/such", "none.onnx", ""]) {
      assertEquals(
        (await assertRejects(() => findModel(missing, "model.onnx", folders), InputError)).code,
        "not-found",
      );
    }
  });
});

Deno.test("modelReference() is the name if that finds the file, and else its path", async () => {
  await inTemporaryFolder(async (root) => {
    assertEquals(await modelReference(SHIPPED_MODEL), "fashion-mnist");
    const other = join(root, "fashion-mnist", "model.onnx");
    assertEquals(await modelReference(other), other, "another model of the same name");
  });
});

Deno.test("nearest() suggests only what is near", () => {
  const options = ["epochs", "batch-size", "learning-rate", "ema"];
  assertEquals(nearest("epoch", options), "epochs");
  assertEquals(nearest("batchsize", options), "batch-size");
  assertEquals(nearest("learnig-rate", options), "learning-rate");
  assertEquals(nearest("lr", options), undefined);
});
