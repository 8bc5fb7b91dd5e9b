import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import { InputError } from "../shared/errors.ts";
import { createProject } from "../train/create/project.ts";
import { type Finished, runTask } from "./helpers/command.ts";
import { squares, write } from "./helpers/picture_folder.ts";
import { inTemporaryFolder } from "./helpers/temporary_folder.ts";

const ROOT = fileURLToPath(new URL("../", import.meta.url));

/** Runs Deno in a folder. */
async function deno(cwd: string, ...args: string[]): Promise<Finished> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

Deno.test("a created project is well-formed, trains, passes its test, serves and can be deployed", async (t) => {
  await inTemporaryFolder(async (parent) => {
    // A space must not matter.
    const folder = join(parent, "my shop");
    const created = await runTask("create", [folder, "--name", "my-shop"]);
    assertEquals(created.code, 0, created.stderr);
    const files = [
      "README.md",
      "deno.json",
      "example.png",
      "main.ts",
      "train.ts",
      "worker.ts",
      "worker_test.ts",
      "wrangler.toml",
    ];
    assertEquals(
      created.stdout.split("\n"),
      [".gitignore", ...files, ""].map((name) => name && join(folder, name)),
    );
    const ok = async (...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await deno(folder, ...args);
      assertEquals(code, 0, `deno ${args.join(" ")}\n${stdout}\n${stderr}`);
      return stdout + stderr;
    };

    await t.step("deno task serve has the library's settings of memory", async () => {
      const [own, library] = await Promise.all(
        [folder, ROOT].map(async (folder) =>
          JSON.parse(await Deno.readTextFile(join(folder, "deno.json"))).tasks.serve.command
        ),
      );
      const [settings] = /^GLIBC_TUNABLES=\S+ deno run --v8-flags=\S+/.exec(library)!;
      assert(own.startsWith(`${settings} `), own);
    });
    await t.step("deno task train learns a folder of pictures", async () => {
      await write(folder, squares(["boots", "shirts"], 12, "pictures/"));
      assertMatch(
        await ok("task", "train", "pictures"),
        /Accuracy \d+\.\d % of \d+ test images. Saved model\/model\.onnx\n/,
      );
    });
    await t.step("it is formatted, passes the linter and has the right types", async () => {
      await ok("fmt", "--check");
      await ok("lint");
      // deno task test checks the types of the others.
      await ok("check", "train.ts");
    });
    await t.step("deno task test passes", async () => {
      assertStringIncludes(await ok("task", "test"), "2 passed | 0 failed");
    });
    await t.step("deno task serve answers with the labels of the folder", async () => {
      const server = new Deno.Command(Deno.execPath(), {
        args: ["task", "serve"],
        cwd: folder,
        env: { NO_COLOR: "1", PORT: "0" },
        ...{ stdin: "null", stdout: "null", stderr: "piped" },
      }).spawn();
      try {
        const body = await Deno.readFile(join(folder, "example.png"));
        const url = await addressOf(server);
        const headers = { "content-type": "image/png" };
        const response = await fetch(`${url}v1/classify`, { method: "POST", headers, body });
        const { model, predictions: [{ label }] } = await response.json();
        assertEquals(model.name, "my-shop");
        assert(["boots", "shirts"].includes(label), label);
      } finally {
        server.kill("SIGTERM");
        await server.status;
      }
    });
    await t.step("deno task serve refuses a port that is none", async () => {
      const { code, stderr } = await deno(folder, "task", "--quiet", "serve", "--port", "http");
      assertEquals(code, 2);
      assertEquals(stderr, 'error: the port must be a number in 0..65535: current value is "http"\n');
    });
    await t.step("deno task deploy bundles its worker for Cloudflare", async () => {
      const output = await ok("task", "deploy", "--dry-run", "--outdir", join(parent, "bundle"));
      assertMatch(output, /--dry-run: exiting now/);
      const names = Array.from(Deno.readDirSync(join(parent, "bundle")), ({ name }) => name);
      assertEquals(names.filter((name) => /^worker\.js$|-model\.onnx$/.test(name)).length, 2, names.join());
    });
  });
});

/** Reads what a server prints until it has its address. */
async function addressOf(server: Deno.ChildProcess): Promise<string> {
  const reader = server.stderr.pipeThrough(new TextDecoderStream()).getReader();
  let said = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`the server ended: ${said}`);
    said += value;
    const [url] = /http:\/\/127\.0\.0\.1:\d+\//.exec(said) ?? [];
    if (url === undefined) continue;
    reader.releaseLock();
    await server.stderr.cancel().catch(() => {});
    return url;
  }
}

Deno.test("deno task create writes nothing into a folder that is not empty, or for a wrong library or name", async () => {
  await inTemporaryFolder(async (folder) => {
    const used = join(folder, "used"), free = join(folder, "free");
    await write(used, { "notes.txt": "mine" });
    const create = (at: string, options: { name?: string; library?: string }): Promise<string[]> =>
      createProject(at, { name: "shop", library: ROOT, ...options });
    await assertRejects(() => create(used, {}), InputError, 'it must be empty: there is "notes.txt"');
    await assertRejects(() => create(free, { library: folder }), InputError, "Cannot use the library in");
    for (const name of ["My-Shop", "1shop", "shop-", "a/b", ""]) {
      await assertRejects(() => create(free, { name }), InputError, "its name must be");
    }
    assertEquals(Array.from(Deno.readDirSync(folder), ({ name }) => name), ["used"]);
    const { code, stderr } = await runTask("create", []);
    assertEquals(code, 2);
    assertStringIncludes(stderr, "there must be one DIR: 0 given");
  });
});

Deno.test("deno task create --library jsr depends on the packages by name and version", async () => {
  await inTemporaryFolder(async (folder) => {
    const { code, stderr } = await runTask("create", [join(folder, "shop"), "--library", "jsr"]);
    assertEquals(code, 0);
    assertStringIncludes(stderr, "not published on JSR yet");
    const own = JSON.parse(await Deno.readTextFile(join(ROOT, "deno.json")));
    const server = JSON.parse(await Deno.readTextFile(join(ROOT, "serve/deno.json")));
    assertEquals(server.version, own.version);
    const { imports, links } = JSON.parse(await Deno.readTextFile(join(folder, "shop/deno.json")));
    assertEquals(imports, {
      [own.name]: `jsr:${own.name}@^${own.version}`,
      [server.name]: `jsr:${server.name}@^${server.version}`,
    });
    assertEquals(links, undefined);
    for await (const { name } of Deno.readDir(join(folder, "shop"))) {
      const text = await Deno.readTextFile(join(folder, "shop", name));
      assert(!text.includes(ROOT) && !text.includes("my-classifier"), name);
    }
  });
});
