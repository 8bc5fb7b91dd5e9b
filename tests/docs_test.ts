import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { VARIABLES } from "../serve/config.ts";
import { sha256 } from "../shared/sha256.ts";
import { FASHION_MNIST, WITHOUT_DATA } from "./helpers/command.ts";

const ROOT = new URL("../", import.meta.url);

/** The TypeScript of a page, from top to bottom. */
async function programOf(page: string): Promise<string> {
  const text = await Deno.readTextFile(new URL(page, ROOT));
  return [...text.matchAll(/```ts\n([^]*?)```/g)].map(([, code]) => code).join("\n");
}

async function run(args: string[], input: string): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = new Deno.Command(Deno.execPath(), {
    args,
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

const program = "the program of docs/from-pytorch.md runs, and prints what the page says";
Deno.test(FASHION_MNIST ? program : `${program} (${WITHOUT_DATA})`, { ignore: !FASHION_MNIST }, async () => {
  const program = await programOf("docs/from-pytorch.md");
  const permissions = ["--allow-read", "--allow-env=FASHION_MNIST_DIR"];
  const { code, stdout, stderr } = await run(["run", "--check", ...permissions, "--ext=ts", "-"], program);
  assertEquals(code, 0, stderr);
  assertMatch(stdout, /^60000 10000 \[\n? *"T-shirt\/top"/m);
  assertMatch(stdout, /^\[ 64, 784 \] \[ 64, 10 \]$/m);
  assertMatch(stdout, /^NeuralNetwork\($/m);
  assertMatch(stdout, /^loss: 2\.3\d+ {2}\[64\/60000\]$/m);
  assertMatch(stdout, /^Accuracy: \d+\.\d %, Avg loss: 2\.\d+$/m);
  assertMatch(stdout, /^Predicted: ".+", Actual: "Ankle boot"$/m);
});

/** The pages that people read, by their path. */
async function readPages(): Promise<Map<string, string>> {
  const names = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "fixtures/README.md"];
  for await (const { name } of Deno.readDir(new URL("docs/", ROOT))) {
    if (name.endsWith(".md")) names.push(`docs/${name}`);
  }
  return new Map(
    await Promise.all(
      names.map(async (name) => [name, await Deno.readTextFile(new URL(name, ROOT))] as const),
    ),
  );
}

const PAGES = await readPages();

Deno.test("The README and docs/familiarity.md show the version of the model that ships", async () => {
  const model = await Deno.readFile(new URL("shared/artifacts/fashion-mnist/model.onnx", ROOT));
  const version = (await sha256(model)).slice(0, 12);
  assertStringIncludes(PAGES.get("README.md")!, `"name": "fashion-mnist", "version": "${version}"`);
  assertStringIncludes(PAGES.get("docs/familiarity.md")!, `The shipped model, \`${version}\``);
});

/** The anchors that GitHub gives to the headings of a page. */
function anchorsOf(text: string): Set<string> {
  const headings = text.replaceAll(/^```[^]*?^```/gm, "").matchAll(/^#+ (.+)$/gm);
  return new Set(
    Array.from(
      headings,
      ([, heading]) => heading!.toLowerCase().replaceAll(/[^\p{L}\p{N}\p{M} _-]/gu, "").replaceAll(" ", "-"),
    ),
  );
}

Deno.test("every link between the pages and the files of the project has a target", async (t) => {
  for (const [page, text] of PAGES) {
    await t.step(page, async () => {
      for (const [, link, anchor] of text.matchAll(/\]\(([^)#\s]*)(?:#([^)\s]*))?\)/g)) {
        if (/^[a-z]+:/.test(link!)) continue;
        const target = link === "" ? new URL(page, ROOT) : new URL(link!, new URL(page, ROOT));
        const found = await Deno.stat(target).then(() => true, () => false);
        assertEquals(found, true, `${page} links to ${link}, which is not there`);
        if (anchor === undefined || !target.pathname.endsWith(".md")) continue;
        const anchors = anchorsOf(await Deno.readTextFile(target));
        assertEquals(anchors.has(anchor), true, `${page} links to ${link}#${anchor}, which is no heading`);
      }
    });
  }
});

/** Tasks that print no options of their own, or pass them on to other programs. */
const WITHOUT_OPTIONS = /^(bench|bench:.*|build:.*|ok|test|dev|deploy)$/;

/** Variables that a command may set, besides those of the server. */
const OTHER_VARIABLES =
  /^(OTEL_\w+|BLAS|PYTHON|FASHION_MNIST_DIR|BACKBONES_DIR|PHOTOS_DIR|XDG_RUNTIME_DIR|OPENBLAS_\w+|DENO_\w+|MODELS?|NO_COLOR)$/;

Deno.test("every deno task, option and variable that the pages name exists", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  const variables = new Set<string>(VARIABLES.map(({ name }) => name));
  const help = new Map<string, Promise<Set<string>>>();
  let checked = 0;
  for (const [page, text] of PAGES) {
    if (page === "CHANGELOG.md") continue;
    // A command ends with its line, its code span, a comment or another command.
    for (
      const [, before, task, rest] of text.replaceAll(/\\\n\s*/g, "").matchAll(
        /((?:\b[A-Z][A-Z0-9_]*=[^\s`]+ )*)deno task (?:--quiet )?([a-z][a-z:]*)([^`\n#|]*)/g,
      )
    ) {
      assertEquals(Object.hasOwn(tasks, task!), true, `${page} names deno task ${task}`);
      for (const [, name] of before!.matchAll(/([A-Z][A-Z0-9_]*)=/g)) {
        const known = variables.has(name!) || OTHER_VARIABLES.test(name!);
        assertEquals(known, true, `${page} sets ${name} for deno task ${task}`);
      }
      if (WITHOUT_OPTIONS.test(task!)) continue;
      const asked = task === "serve:native" ? "serve" : task!;
      if (!help.has(asked)) help.set(asked, optionsOf(asked));
      const options = await help.get(asked)!;
      for (const [, option] of rest!.split(/[;,] | && /)[0]!.matchAll(/ --([a-z][a-z0-9-]*)/g)) {
        checked++;
        assertEquals(options.has(option!), true, `${page} names --${option} of deno task ${task}`);
      }
    }
  }
  assert(checked > 20, `only ${checked} options were found`);
});

/** The options in the help of a task. */
async function optionsOf(task: string): Promise<Set<string>> {
  const { stdout, stderr } = await run(["task", "--quiet", task, "--help"], "");
  const options = new Set([...stdout.matchAll(/--([a-z][a-z0-9-]*)/g)].map(([, name]) => name!));
  assert(options.has("help"), `deno task ${task} --help\n${stderr}`);
  return options;
}

Deno.test("every file that a command of the pages runs exists", async () => {
  let checked = 0;
  for (const [page, text] of PAGES) {
    const commands = text.matchAll(
      /\b(?:deno (?:run|serve|doc)|python3) [^`\n]*?((?:[a-z_]+\/)+[\w.]+\.(?:ts|py))/g,
    );
    for (const [, file] of commands) {
      checked++;
      const found = await Deno.stat(new URL(file!, ROOT)).then(() => true, () => false);
      assertEquals(found, true, `${page} runs ${file}`);
    }
  }
  assert(checked > 2, `only ${checked} commands were found`);
});

Deno.test("docs/troubleshooting.md quotes messages as the code has them", async () => {
  const text = await Deno.readTextFile(new URL("docs/troubleshooting.md", ROOT));
  let code = "";
  for (const room of ["train", "serve", "shared"]) code += await sourceOf(new URL(`${room}/`, ROOT));
  // Messages are put together of pieces, so spaces at their ends and line ends do not count.
  const squeeze = (text: string): string => text.replace(/["'`+\s]+/g, " ");
  const source = squeeze(code);
  // Others' messages.
  const foreign = [
    "Exceeded CPU Limit",
    "Requires",
    "Ignored build scripts for packages",
    "error: XDG_RUNTIME_DIR is invalid",
  ];
  for (const [, message] of text.matchAll(/^### (?:On Cloudflare: )?`([^`]+)`/gm)) {
    if (foreign.some((start) => message!.startsWith(start))) continue;
    for (const piece of message!.split("…").map((piece) => squeeze(piece).trim()).filter(Boolean)) {
      assert(source.includes(piece), `no message has "${piece}" of "${message}"`);
    }
  }
});

async function sourceOf(folder: URL): Promise<string> {
  let text = "";
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) text += await sourceOf(new URL(`${name}/`, folder));
    else if (name.endsWith(".ts")) text += await Deno.readTextFile(new URL(name, folder));
  }
  return text;
}
