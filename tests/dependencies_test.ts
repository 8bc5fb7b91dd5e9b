import { VARIABLES } from "../serve/config.ts";
import { assertEquals, assertFalse, assertMatch } from "@std/assert";

const ROOT = new URL("../", import.meta.url);

interface Dependency {
  /** As the source has it. */
  specifier: string;
  isDynamic?: boolean;
  /** Absent if only types are imported. */
  code?: { specifier: string };
}

interface Graph {
  roots: string[];
  modules: {
    kind: string;
    specifier: string;
    npmPackage?: string;
    error?: string;
    dependencies?: Dependency[];
  }[];
  npmPackages: Record<string, { name: string; version: string; dependencies: string[] }>;
}

async function graphOf(program: string): Promise<Graph> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--node-modules-dir=none", "--frozen", "--json", program],
    cwd: ROOT,
    stderr: "inherit",
  }).output();
  const graph: Graph = JSON.parse(new TextDecoder().decode(stdout));
  assertEquals(
    graph.modules.filter(({ error }) => error),
    [],
    `${program} has imports that are not found`,
  );
  return graph;
}

/** What a program's sources import before it runs, as they write it. */
async function loadedAtStart(program: string): Promise<string[]> {
  const { roots, modules } = await graphOf(program);
  const dependencies = new Map(modules.map(({ specifier, dependencies = [] }) => [specifier, dependencies]));
  const reached = new Set(roots), loaded: string[] = [];
  // A set visits what is added during the loop too.
  for (const module of reached) {
    for (const { specifier, isDynamic, code } of dependencies.get(module) ?? []) {
      if (isDynamic || !code) continue;
      reached.add(code.specifier);
      loaded.push(specifier);
    }
  }
  return loaded;
}

/** The npm packages, `name@version`, that a program imports, with theirs: what Deno installs to run it. */
async function packagesOf(program: string): Promise<string[]> {
  const { modules, npmPackages } = await graphOf(program);
  const ids = new Set(modules.flatMap(({ npmPackage }) => npmPackage ?? []));
  // A set visits what is added during the loop too.
  for (const id of ids) npmPackages[id]!.dependencies.forEach((dependency) => ids.add(dependency));
  return [...new Set([...ids].map((id) => `${npmPackages[id]!.name}@${npmPackages[id]!.version}`))].sort();
}

async function importsOf(file: string): Promise<Record<string, string>> {
  return JSON.parse(await Deno.readTextFile(new URL(file, ROOT))).imports;
}

Deno.test("the server installs these packages and no others", async () => {
  assertEquals(await packagesOf("serve/main.ts"), [
    "@protobufjs/aspromise@1.1.2",
    "@protobufjs/base64@1.1.2",
    "@protobufjs/codegen@2.0.5",
    "@protobufjs/eventemitter@1.1.1",
    "@protobufjs/fetch@1.1.1",
    "@protobufjs/float@1.0.2",
    "@protobufjs/path@1.1.2",
    "@protobufjs/pool@1.1.0",
    "@protobufjs/utf8@1.1.2",
    "@types/node@26.6.6",
    "@valibot/to-json-schema@1.8.0",
    "argparse@3.0.4",
    "entities@8.1.0",
    "flatbuffers@25.9.23",
    "guid-typescript@1.0.9",
    "hono@4.13.19",
    "linkify-it@6.1.0",
    "long@5.3.2",
    "markdown-it@15.0.3",
    "mdurl@2.1.0",
    "onnxruntime-common@1.30.0",
    "onnxruntime-web@1.30.0",
    "platform@1.3.6",
    "protobufjs@7.6.6",
    "punycode.js@2.3.1",
    "uc.micro@3.0.0",
    "undici-types@8.9.0",
    "valibot@1.5.0",
  ]);
});

const COMMANDS = ["quickstart", "train", "evaluate", "predict", "report", "compare", "export", "create"];

for (const command of COMMANDS) {
  Deno.test(`deno task ${command} installs no web framework, test library, browser driver or wrangler`, async () => {
    const packages = await packagesOf(`train/commands/${command}.ts`);
    const { wrangler, esbuild, hono } = await importsOf("serve/deno.json");
    const foreign = [wrangler!, esbuild!, hono!, ...Object.values(await importsOf("tests/deno.json"))];
    const found = packages.filter((name) => foreign.includes(`npm:${name}`) || /workerd/.test(name));
    assertEquals(found, []);
  });
}

Deno.test("no command loads TensorFlow.js or ONNX Runtime before it has read its options", async () => {
  for (const command of COMMANDS) {
    assertEquals((await loadedAtStart(`train/commands/${command}.ts`)).filter(isHeavy), [], command);
  }
  assertFalse((await loadedAtStart("train/artifact/run.ts")).filter(isHeavy).length === 0, "others do");
});

function isHeavy(specifier: string): boolean {
  return /^(@tensorflow|onnxruntime)/.test(specifier);
}

Deno.test("each dependency has one exact version, in every list and task that names it", async () => {
  const versions = new Map<string, string>();
  const texts = await Promise.all(
    ["deno.json", "serve/deno.json", "tests/deno.json", "serve/native.lock"].map((file) =>
      Deno.readTextFile(new URL(file, ROOT))
    ),
  );
  for (const [, name, version] of texts.join("\n").matchAll(/npm:((?:@[^/\s"]+\/)?[^@\s"]+)@([^\s"]+)/g)) {
    assertEquals(/^\d+\.\d+\.\d+(-\d+)?$/.test(version!), true, `${name}@${version} is no exact version`);
    assertEquals(versions.get(name!) ?? version, version, `${name} has two versions`);
    versions.set(name!, version!);
  }
  assertFalse(versions.size === 0);
});

Deno.test("both lock files have the dependencies that the configurations name", async () => {
  // Deno refuses to start with a frozen lock file that lacks one.
  const [all, native] = await Promise.all(
    ["deno.lock", "serve/native.lock"].map(async (file) =>
      JSON.parse(await Deno.readTextFile(new URL(file, ROOT))).workspace
    ),
  );
  assertEquals(native, all);
});

Deno.test("the tasks that serve may read the server's variables and no others", async () => {
  const { tasks, permissions } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  for (const [task, set] of [["serve", "serve"], ["serve:native", "serve-native"]] as const) {
    assertMatch(tasks[task].command, new RegExp(`deno run --v8-flags=\\S+ -P=${set} `));
    assertEquals(permissions[set].env, VARIABLES.map(({ name }) => name), task);
  }
});

Deno.test("the tasks that serve and the image have the same settings of memory", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  const image = await Deno.readTextFile(new URL("Dockerfile", ROOT));
  const settingsOf = (text: string): string[] =>
    [/GLIBC_TUNABLES=\S+/, /--v8-flags=[^\s"]+/].map((setting) => setting.exec(text)![0]);
  const settings = settingsOf(tasks.serve.command);
  assertEquals(settingsOf(tasks["serve:native"].command), settings);
  assertEquals(settingsOf(image), settings);
});
