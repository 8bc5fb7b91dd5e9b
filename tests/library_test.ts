import {
  assert,
  assertEquals,
  assertNotMatch,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import config from "../deno.json" with { type: "json" };
import { InputError } from "../shared/errors.ts";
import { Classifier } from "../shared/inference/classifier.ts";
import { createDataset } from "../train/dataset/create.ts";
import { runSteps, type Step } from "./helpers/command.ts";
import { tinyModel } from "./helpers/tiny_model.ts";

const ROOT = new URL("../", import.meta.url);

/** Runs a program from standard input in the repository's root. */
async function run(
  program: string,
  ...args: string[]
): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-read", ...args, "-"],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(program));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

/** The TypeScript files of what the library consists of. */
async function* sources(folder: string): AsyncGenerator<URL> {
  for await (const { name, isDirectory } of Deno.readDir(new URL(folder, ROOT))) {
    if (isDirectory) yield* sources(`${folder}${name}/`);
    else if (name.endsWith(".ts")) yield new URL(folder + name, ROOT);
  }
}

/** The examples in the doc comments of a file that are TypeScript. */
function examplesOf(text: string): string[] {
  const comments = text.matchAll(/\/\*\*[^]*?\*\//g);
  return [...comments].flatMap(([comment]) => {
    const lines = comment.replaceAll(/^ *\* ?/gm, "");
    return [...lines.matchAll(/```ts\n([^]*?)```/g)].map(([, code]) => code!);
  });
}

Deno.test("every @example runs, and what it asserts is true", async (t) => {
  const steps: Step[] = [];
  for (const folder of ["shared/", "train/"]) {
    for await (const file of sources(folder)) {
      for (const [i, example] of examplesOf(await Deno.readTextFile(file)).entries()) {
        steps.push([`${file.href.slice(ROOT.href.length)}, example ${i + 1}`, async () => {
          const program = example.replaceAll(
            /from "(\.[^"]*)"/g,
            (_, path) => `from "${new URL(path, file)}"`,
          );
          const { code, stderr } = await run(program, "--check", "--ext=ts", "--allow-write");
          assertEquals(code, 0, stderr);
          assertNotMatch(stderr, /Assertion failed/);
        }]);
      }
    }
  }
  assert(steps.length >= 8, `there are only ${steps.length} examples`);
  await runSteps(t, steps);
});

Deno.test("the main functions of the library have an example", async () => {
  for (
    const [file, name] of [
      ["shared/inference/classifier.ts", "class Classifier"],
      ["shared/inference/browser.ts", "class Classifier"],
      ["shared/onnx/read.ts", "function readOnnx"],
      ["shared/onnx/write.ts", "function writeOnnx"],
      ["train/artifact/run.ts", "async function train"],
      ["train/dataset/create.ts", "function createDataset"],
      ["train/backend/gemm/registry.ts", "function useGemm"],
    ] as const
  ) {
    const text = await Deno.readTextFile(new URL(file, ROOT));
    const before = text.slice(0, text.indexOf(`export ${name}`));
    assertStringIncludes(before.slice(before.lastIndexOf("/**")), "@example", `${file}: ${name}`);
  }
});

for (const [entry, path] of Object.entries(config.exports)) {
  const name = `${config.name}${entry.slice(1)}`;

  Deno.test(`importing ${name} changes no global of the platform`, async () => {
    // Property by property, of the global object and of the objects that libraries like to patch.
    const { code, stdout, stderr } = await run(`
      // With the first of Node's modules, Deno adds globals of its own.
      for (const name of ["worker_threads", "perf_hooks", "crypto"]) await import("node:" + name);
      const owners = { globalThis, WebAssembly, console, Math, Object, Promise, performance, Deno };
      const read = () => Object.entries(owners).flatMap(([owner, object]) =>
        Object.entries(Object.getOwnPropertyDescriptors(object)).map(([key, { value, get }]) => [owner + "." + key, value ?? get]));
      const before = new Map(read());
      await import(${JSON.stringify(name)});
      const after = new Map(read());
      const changed = [...after.keys()].filter((key) => !Object.is(before.get(key), after.get(key)));
      changed.push(...[...before.keys()].filter((key) => !after.has(key)));
      console.log(JSON.stringify(changed));
    `);
    assertEquals(code, 0, stderr);
    // TensorFlow.js keeps its state in globals, its dependency regenerator-runtime defines one, and Deno adds two of
    // its own with the first npm package in CommonJS.
    const others =
      /^(globalThis\.(_tfengine|_tfGlobals|regeneratorRuntime|__core-js_shared__|nodeBootstrap)|console\.Console)$/;
    const changed: string[] = JSON.parse(stdout);
    assertEquals(changed.filter((key) => !(path.startsWith("./train/") && others.test(key))), []);
  });
}

Deno.test("Classifier.load() replaces WebAssembly.instantiate only until the session exists", async () => {
  const original = WebAssembly.instantiate;
  const loading = [Classifier.load(tinyModel()), Classifier.load(tinyModel())];
  const classifiers = await Promise.all(loading);
  assert(WebAssembly.instantiate === original);
  await assertRejects(() => Classifier.load(new Uint8Array([1, 2, 3])), InputError);
  assert(WebAssembly.instantiate === original);
  for (const classifier of classifiers) await classifier.close();
});

Deno.test("classify() refuses what does not fit together", async () => {
  const classifier = await Classifier.load(tinyModel());
  const picture = { width: 4, height: 4, channels: 1 as const, data: new Uint8Array(16) };
  for (const top of [0, -1, 1.5, NaN]) {
    await assertRejects(
      () => classifier.classify(picture, { top }),
      InputError,
      "top must be a positive integer",
    );
  }
  await assertRejects(() => classifier.classify({ ...picture, data: new Uint8Array(15) }), InputError);
  await assertRejects(() => classifier.classify(new Uint8Array([1, 2, 3])), InputError, "PNG, JPEG or WebP");
  await classifier.close();
});

Deno.test("createDataset() refuses what does not fit together", () => {
  const split = { images: new Uint8Array(2 * 12), labels: new Uint8Array([0, 1]) };
  const source = {
    ...{ name: "mine", labels: ["a", "b"], channels: 3, height: 2, width: 2 } as const,
    ...{ train: split, test: split },
  };
  assertEquals(createDataset(source).train.count, 2);
  const wrong = [
    [{ width: 0 }, "its width must be a positive integer"],
    [{ height: 2.5 }, "its height must be a positive integer"],
    [{ labels: ["a"] }, "at least 2 classes"],
    [{ channels: 1 as const }, "its training images must be 2 × 1 × 2 × 2 bytes"],
    [{ test: { ...split, images: new Uint8Array(23) } }, "its test images must be 2 × 3 × 2 × 2 bytes"],
    [{ test: { ...split, labels: new Uint8Array([0, 2]) } }, "its test labels must be below 2"],
    [
      { train: { images: new Uint8Array(), labels: new Uint8Array() } },
      "it must have training images",
    ],
  ] as const;
  for (const [change, message] of wrong) {
    assertThrows(() => createDataset({ ...source, ...change }), InputError, message);
  }
});

Deno.test("deno publish would accept the library", async () => {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["publish", "--dry-run", "--allow-dirty"],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder().decode(stderr);
  assert(success, text);
  assertNotMatch(text, /serve\/|tests\/|model\.onnx/);
});
