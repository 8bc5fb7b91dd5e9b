import { assertEquals, assertMatch } from "@std/assert";
import { runTask } from "./helpers/command.ts";
import { inTemporaryFolder } from "./helpers/temporary_folder.ts";
import { start } from "./runtimes/deno_server.ts";

const ROOT = new URL("../", import.meta.url);
/** What the programs read of a checkout. */
const PARTS = [
  "deno.json",
  "deno.lock",
  "tests/deno.json",
  "README.md",
  "docs",
  "fixtures",
  "serve",
  "shared",
  "train",
];
/** Each of these characters means something else in a URL than in a path. */
const CHECKOUT = "a b#c%20d é布";

async function copy(from: URL, to: string): Promise<void> {
  const { isDirectory, isSymlink } = await Deno.lstat(from);
  if (isSymlink) return;
  if (!isDirectory) return await Deno.copyFile(from, to);
  await Deno.mkdir(to, { recursive: true });
  for await (const { name } of Deno.readDir(from)) {
    await copy(new URL(`${encodeURIComponent(name)}`, `${from.href}/`), `${to}/${name}`);
  }
}

Deno.test("a model is trained, evaluated, used, reported and served in a checkout whose path has odd characters", async (t) => {
  await inTemporaryFolder(async (folder) => {
    const checkout = `${folder}/${CHECKOUT}`;
    await Deno.mkdir(`${checkout}/tests`, { recursive: true });
    for (const part of PARTS) await copy(new URL(part, ROOT), `${checkout}/${part}`);
    const task = async (name: string, ...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await runTask(name, args, {}, checkout);
      assertEquals(code, 0, `deno task ${name}: ${stdout}${stderr}`);
      return stdout;
    };

    await t.step("train", async () => {
      const options = ["--dataset", "silhouettes", "--hidden", "16", "--epochs", "1", "--name", "mine"];
      assertMatch(await task("train", ...options), /Test accuracy \d/);
      const written = Array.from(Deno.readDirSync(`${checkout}/models/mine`), ({ name }) => name);
      assertEquals(written.filter((name) => /^(model\.onnx|metrics\.json)$/.test(name)).length, 2);
    });
    await t.step("evaluate", async () => {
      assertMatch(await task("evaluate", "--model", "models/mine/model.onnx"), /\d\d\.\d/);
    });
    await t.step("predict", async () => {
      assertMatch(
        await task("predict", "fixtures/shirt.png", "--model", "models/mine/model.onnx"),
        /shirt\.png/,
      );
    });
    await t.step("report", async () => {
      await Deno.remove(`${checkout}/models/mine/MODEL_CARD.md`);
      await task("report", "models/mine");
      assertMatch(await Deno.readTextFile(`${checkout}/models/mine/MODEL_CARD.md`), /silhouettes/);
    });
    await t.step("serve", async () => {
      const env = { MODEL: "mine", PORT: "0", NO_COLOR: "1" };
      const server = await start(["task", "--quiet", "serve"], env, checkout);
      const body = await Deno.readFile(`${checkout}/fixtures/shirt.png`);
      const headers = { "content-type": "image/png" };
      const response = await fetch(`${server.url}/v1/classify`, { method: "POST", headers, body });
      const { model } = await response.json();
      // Deno passes the signal on to the server.
      await server.stop("SIGTERM");
      assertEquals([response.status, model.name], [200, "mine"]);
    });
    // Nothing was written beside the checkout, as under a percent-encoded name.
    assertEquals(Array.from(Deno.readDirSync(folder), ({ name }) => name), [CHECKOUT]);
  });
});
