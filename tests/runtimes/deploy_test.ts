import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { writeEntry } from "../../serve/deploy/entry.ts";
import { InputError } from "../../shared/errors.ts";
import { tinyModel } from "../helpers/tiny_model.ts";
import { startWorkerd } from "./workerd_server.ts";

const ROOT = new URL("../../", import.meta.url);
const LABELS = ["left", "middle", "<right>"];

/** Runs the program of `deno task deploy` and `deno task dev`, whose task installs wrangler before it. */
async function run(
  args: string[],
  env: Record<string, string> = {},
): Promise<{ code: number; output: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "serve/deploy/main.ts", ...args],
    cwd: ROOT,
    env: { NO_COLOR: "1", MODEL: "", ...env },
    stdin: "null",
  }).output();
  return { code, output: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}

/** A folder with a model of three labels. */
async function makeModel(): Promise<{ folder: string; file: string } & AsyncDisposable> {
  const folder = await Deno.makeTempDir({ prefix: "selvedge-test-" });
  const file = join(folder, "model.onnx");
  await Deno.writeFile(file, tinyModel());
  return { folder, file, [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }) };
}

Deno.test("deno task deploy --dry-run bundles the named model, and shows its labels, size and cost", async () => {
  await using model = await makeModel();
  const cases: [string[], Record<string, string>][] = [
    [["--model", model.folder], {}],
    [[`--model=${model.file}`, "--upload"], {}],
    [[], { MODEL: model.file }],
  ];
  for (const [args, env] of cases) {
    const outdir = join(model.folder, "bundle");
    const { code, output } = await run(["deploy", "--dry-run", "--outdir", outdir, ...args], env);
    assertEquals(code, 0, output);
    assertStringIncludes(output, "Model      columns, version ");
    assertStringIncludes(output, "Labels     3: left, middle, <right>");
    assertStringIncludes(output, "Accuracy   90.0 % of 10 test images");
    assert(
      /^Bundle {5}1[56]\.\d MB of 67\.1 MB \(64 MiB\): model 0\.0 MB, ONNX Runtime 14\.2 MB, /m.test(output),
      output,
    );
    assert(/^CPU time {3}\d+ ms more for the first request/m.test(output), output);
    const names = [...Deno.readDirSync(outdir)].map(({ name }) => name).filter((name) =>
      name.endsWith(".onnx")
    );
    assertEquals(names.length, 1, "Fashion-MNIST is not part of the bundle");
    assertEquals(await Deno.readFile(join(outdir, names[0]!)), tinyModel());
    await Deno.remove(outdir, { recursive: true });
  }
});

Deno.test("deno task deploy says what is wrong with a model and exits with 2", async () => {
  await using model = await makeModel();
  const broken = join(model.folder, "broken.onnx");
  await Deno.writeTextFile(broken, "not a model");
  for (
    const [args, message] of [
      [["deploy", "--model", "no-such-model", "--dry-run"], 'Cannot find model "no-such-model"'],
      [["deploy", "--model", broken, "--dry-run"], "Cannot read ONNX file"],
      [["deploy", "--dry-run", "--model"], "Option --model needs a value"],
      [["publish"], 'Cannot run "publish"'],
    ] as const
  ) {
    const { code, output } = await run([...args]);
    assertEquals(code, 2, output);
    assertStringIncludes(output, message);
  }
  const large = new Uint8Array(48 * 1024 * 1024 + 1);
  const error = await assertRejects(() => writeEntry(large), InputError, "at most 50331648 bytes");
  assertEquals(error.code, "too-large");
});

Deno.test("deno task deploy and dev show their help", async () => {
  for (const command of ["deploy", "dev"]) {
    const { code, output } = await run([command, "--help"]);
    assertEquals(code, 0, output);
    for (const word of [`deno task ${command}`, "--model", "--name"]) assertStringIncludes(output, word);
  }
});

Deno.test("workerd serves a model that is bundled by its path", async () => {
  let path: string;
  {
    await using entry = await writeEntry(tinyModel());
    path = entry.path;
    await checkAnswers(path);
  }
  await assertRejects(() => Deno.stat(path), Deno.errors.NotFound);
});

/** Starts the entry on workerd, and sends an image. */
async function checkAnswers(entry: string): Promise<void> {
  await using server = await startWorkerd({ own: { bindings: { main: entry } } });
  const { send } = server.workers["own"]!;
  assertEquals((await (await send("/v1/model")).json()).labels, LABELS);
  const response = await send("/v1/classify", {
    method: "POST",
    headers: { "content-type": "application/octet-stream" },
    body: Uint8Array.of(0, 255, 0, 0, 255, 0),
  });
  const { predictions: [prediction] } = await response.json();
  assertEquals(prediction.label, "middle");
}

Deno.test("deno task dev serves the named model until it is stopped", async () => {
  await using model = await makeModel();
  await using child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "serve/deploy/main.ts", "dev", "--model", model.file, "--port", "0"],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let output = "", url: string | undefined;
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    output += text;
    url = /Ready on (http:\/\/\S+)/.exec(output)?.[1];
    if (url) break;
  }
  assert(url, output);
  const { labels } = await (await fetch(new URL("/v1/model", url))).json();
  assertEquals(labels, LABELS);
  child.kill("SIGTERM");
  await child.status;
  await assertRejects(() => fetch(url), TypeError);
});
