import { assert, assertEquals, assertMatch } from "@std/assert";
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

Deno.test("every link between the pages and the files of the project has a target", async (t) => {
  const pages = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md"];
  for await (const { name } of Deno.readDir(new URL("docs/", ROOT))) {
    if (name.endsWith(".md")) pages.push(`docs/${name}`);
  }
  for (const page of pages) {
    await t.step(page, async () => {
      const text = await Deno.readTextFile(new URL(page, ROOT));
      for (const [, link] of text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
        if (/^[a-z]+:/.test(link!)) continue;
        const found = await Deno.stat(new URL(link!, new URL(page, ROOT))).then(() => true, () => false);
        assertEquals(found, true, `${page} links to ${link}, which is not there`);
      }
    });
  }
});

Deno.test("every deno task and option that the pages name exists", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  const help = await run(["task", "--quiet", "train", "--help"], "");
  const options = new Set([...help.stdout.matchAll(/--([a-z-]+)/g)].map(([, name]) => name));
  for await (const { name } of Deno.readDir(new URL("docs/", ROOT))) {
    await check(`docs/${name}`);
  }
  await check("README.md");

  async function check(page: string): Promise<void> {
    if (!page.endsWith(".md")) return;
    const text = await Deno.readTextFile(new URL(page, ROOT));
    for (const [, task] of text.matchAll(/deno task ([a-z][a-z:]*)/g)) {
      assertEquals(Object.hasOwn(tasks, task!), true, `${page} names deno task ${task}`);
    }
    for (const [line] of text.matchAll(/deno task train [^`\n]*/g)) {
      for (const [, option] of line.matchAll(/ --([a-z][a-z-]*)/g)) {
        assertEquals(options.has(option!), true, `${page} names --${option} of deno task train`);
      }
    }
  }
});

Deno.test("docs/troubleshooting.md quotes messages as the code has them", async () => {
  const text = await Deno.readTextFile(new URL("docs/troubleshooting.md", ROOT));
  let code = "";
  for (const room of ["train", "serve", "shared"]) code += await sourceOf(new URL(`${room}/`, ROOT));
  // Messages are put together of pieces, so spaces at their ends and line ends do not count.
  const squeeze = (text: string): string => text.replace(/["'`+\s]+/g, " ");
  const source = squeeze(code);
  // Others' messages.
  const foreign = ["Exceeded CPU Limit", "Requires", "Ignored build scripts for packages"];
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
