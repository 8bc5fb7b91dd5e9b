import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { createApp } from "../../serve/app.ts";
import { type ModelFile, ModelRegistry } from "../../serve/models/registry.ts";
import { Classifier } from "../../shared/inference/classifier.ts";
import { sha256 } from "../../shared/sha256.ts";
import { LABELS, putModel, shiftedModel } from "../helpers/model_folder.ts";
import { inTemporaryFolder } from "../helpers/temporary_folder.ts";
import { classify, countSessions, infer, labelOf, serve } from "../helpers/model_server.ts";

Deno.test("A folder whose name no model can have is ignored, and reported once", async () => {
  await inTemporaryFolder(async (folder) => {
    await putModel(`${folder}/plain`, shiftedModel(0));
    await putModel(`${folder}/shoes (new)`, shiftedModel(1));
    await Deno.writeTextFile(`${folder}/read me?.txt`, "");
    const { registry, events } = await serve(folder);
    await registry.refresh();
    assertEquals(registry.list().map(({ name }) => name), ["plain"]);
    assertEquals(events.filter(([event]) => event === "model ignored"), [["model ignored", {
      name: "shoes (new)",
    }]]);
  });
});

Deno.test("A new file takes over without losing a request, and the old model is released", async () => {
  await inTemporaryFolder(async (folder) => {
    await putModel(`${folder}/m`, shiftedModel(0));
    const { app, registry, sessions } = await serve(folder);
    const versions: string[] = [];
    for (const shift of [0, 1, 2]) versions.push((await sha256(shiftedModel(shift))).slice(0, 12));
    const seen = new Set<string>();
    let answered = 0, asked = 0;
    let isOver = false;
    const ask = async (): Promise<void> => {
      while (!isOver) {
        const response = await classify(app, "/v1/models/m/classify");
        const { model, predictions } = await response.json();
        assertEquals(response.status, 200);
        assertEquals(
          predictions[0].label,
          LABELS[versions.indexOf(model.version)],
          "model and answer belong together",
        );
        seen.add(model.version);
        answered++;
      }
    };
    const clients = Array.from({ length: 16 }, ask);
    for (const shift of [1, 2]) {
      await putModel(`${folder}/m`, shiftedModel(shift));
      await registry.refresh();
      // Requests that come now get the new model.
      for (const end = answered + 64; answered < end; asked++) {
        assertEquals(await labelOf(app, "/v1/classify"), LABELS[shift]);
      }
    }
    isOver = true;
    await Promise.all(clients);
    assertEquals([...seen], versions);
    assert(answered > 100, `${answered}`);
    const { model_stats: [stats] } = await (await app.request("/v2/models/m/stats")).json();
    assertEquals(stats.inference_count, answered + asked, "the counters go on");
    await labelOf(app, "/v1/classify");
    const { model_stats: [after] } = await (await app.request("/v2/models/m/stats")).json();
    assertEquals(after.execution_count, stats.execution_count + 1);
    assertEquals(sessions(), 1);
  });
});

Deno.test("A file that fails its checks changes nothing, and the reason is shown", async () => {
  await inTemporaryFolder(async (folder) => {
    await putModel(`${folder}/m`, shiftedModel(0));
    const { app, registry, sessions, events } = await serve(folder);
    const cases: [Uint8Array, string | undefined, string][] = [
      [new Uint8Array(9), undefined, "Cannot read ONNX file"],
      [shiftedModel(1), "a".repeat(64), `its SHA-256 must be ${"a".repeat(64)}`],
      [shiftedModel(1), "short", "must start with 64 hexadecimal digits"],
    ];
    for (const [bytes, hash, reason] of cases) {
      if (hash !== undefined) await Deno.writeTextFile(`${folder}/m/model.onnx.sha256`, hash);
      await putModel(`${folder}/m`, bytes);
      await Promise.all([registry.refresh(), registry.refresh()]);
      await registry.refresh();
      assertEquals(await labelOf(app, "/v1/classify"), LABELS[0]);
      const [status] = (await (await app.request("/v1/models")).json()).models;
      assertStringIncludes(status.reason, reason);
      assertEquals([status.is_ready, status.is_loaded], [true, true]);
      const [event, fields] = events.at(-1)!;
      assertEquals(event, "model rejected");
      assertStringIncludes(String(fields.error), reason);
    }
    assertEquals(events.length, 1 + cases.length, "each file is tried once");
    assertEquals(sessions(), 1);
    await Deno.writeTextFile(
      `${folder}/m/model.onnx.sha256`,
      `${await sha256(shiftedModel(1))}  model.onnx\n`,
    );
    await registry.refresh();
    assertEquals(await labelOf(app, "/v1/classify"), LABELS[1]);
    assertEquals(registry.list()[0]!.reason, "");
  });
});

/** A model of a source that the test controls. */
function modelFile(signature: string, load: () => Promise<Classifier>): ModelFile {
  return { name: "m", signature, bytes: 1, load };
}

/** A registry of whatever files the test puts into the array. */
function registryOf(files: ModelFile[], isLazy = false): ModelRegistry {
  let registry!: ModelRegistry;
  createApp({
    load: {
      models: (make) =>
        registry = new ModelRegistry({ source: { list: () => Promise.resolve(files) }, make, isLazy }),
    },
    report: () => {},
  });
  return registry;
}

Deno.test("A file that could not be read is tried again when the model is loaded explicitly", async () => {
  let isReadable = false;
  const registry = registryOf([modelFile("1", async () => {
    if (!isReadable) throw new Error("no access");
    return await Classifier.load(shiftedModel(0));
  })]);
  assertEquals((await registry.ready()).ready, false);
  isReadable = true;
  await registry.refresh();
  assertEquals(registry.list()[0]!.reason, "no access", "not by a refresh: the file is the same");
  await registry.load("m");
  assertEquals((await registry.ready()).ready, true);
});

Deno.test("A file that is replaced while a request waits for it is released after the request", async () => {
  const { create, sessions } = countSessions();
  const gate = Promise.withResolvers<void>();
  const files = [modelFile("1", async () => {
    await gate.promise;
    return await Classifier.load(shiftedModel(0), create);
  })];
  const registry = registryOf(files, true);
  await registry.ready();
  const lease = registry.lease("m");
  const loading = lease.engine.classifier();
  files[0] = modelFile("2", () => Classifier.load(shiftedModel(1), create));
  await registry.refresh();
  gate.resolve();
  await loading;
  assertEquals(sessions(), 1);
  lease[Symbol.dispose]();
  await lease.engine.close();
  assertEquals(sessions(), 0);
});

Deno.test("A newer version that fails its checks leaves the older one current", async () => {
  await inTemporaryFolder(async (folder) => {
    await putModel(`${folder}/m/1`, shiftedModel(1));
    await putModel(`${folder}/m/2`, new Uint8Array(9));
    const { app } = await serve(folder);
    assertEquals((await app.request("/readyz")).status, 200);
    assertEquals(await labelOf(app, "/v1/classify"), LABELS[1]);
    assertEquals((await infer(app, "/v2/models/m/versions/2/infer")).status, 503);
    assertEquals((await app.request("/v2/models/m/versions/2/ready")).status, 503);
  });
});

Deno.test("Models without requests make room for others, and come back on demand", async () => {
  await inTemporaryFolder(async (folder) => {
    for (const [i, name] of ["a", "b", "c"].entries()) await putModel(`${folder}/${name}`, shiftedModel(i));
    const size = Math.max(...[0, 1, 2].map((shift) => shiftedModel(shift).length));
    const { app, registry, sessions } = await serve(folder, { memoryBytes: 2 * 3 * size });
    const loaded = (): string[] => registry.list().filter(({ isLoaded }) => isLoaded).map(({ name }) => name);
    assertEquals(loaded(), ["b", "c"], "a was used the longest time ago");
    const cases = [["b", 1, "b c"], ["a", 0, "a b"], ["b", 1, "a b"], ["c", 2, "b c"], [
      "a",
      0,
      "a c",
    ]] as const;
    for (const [name, shift, models] of cases) {
      assertEquals(await labelOf(app, `/v1/models/${name}/classify`), LABELS[shift]);
      assertEquals(loaded().join(" "), models, "the least recently used one was unloaded");
    }
    assertEquals((await app.request("/readyz")).status, 200);
    assertEquals((await app.request("/v2/models/b/ready")).status, 200, "a probe does not load it");
    assertEquals(loaded(), ["a", "c"]);
    {
      using a = registry.lease("a"), b = registry.lease("b"), c = registry.lease("c");
      for (const { engine } of [a, c, b]) await engine.classifier();
      assertEquals(loaded(), ["a", "b", "c"], "models with requests stay");
    }
    assertEquals(loaded().length, 2);
    // All of them at once: more than fit, but each is needed.
    const labels = await Promise.all(
      ["a", "b", "c", "a", "b", "c"].map((name) => labelOf(app, `/v1/models/${name}/classify`)),
    );
    assertEquals(labels, [...LABELS, ...LABELS]);
    assert(sessions() <= 2, `${sessions()} are loaded`);
    await putModel(`${folder}/broken`, new Uint8Array(size));
    await registry.refresh();
    for (const name of ["a", "b"]) await labelOf(app, `/v1/models/${name}/classify`);
    assertEquals(loaded(), ["a", "b"], "a file that fails takes no memory");
    await putModel(`${folder}/big`, new Uint8Array(2 * size + 1));
    await registry.refresh();
    assertStringIncludes(registry.list().find(({ name }) => name === "big")!.reason, "bytes of memory");
  });
});
