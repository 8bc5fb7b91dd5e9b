/**
 * `deno task deploy` and `deno task dev`: wrangler with any model.
 *
 * @module
 */
import { relative } from "node:path";
import { cpuUsage } from "node:process";
import type { ModelDescription } from "../../shared/contract.ts";
import { InputError } from "../../shared/errors.ts";
import { readModel, SHIPPED_MODEL } from "../../shared/models.ts";
import { loadModel } from "../model.ts";
import { readModelFiles } from "../read_model_files.ts";
import config from "../deno.json" with { type: "json" };
import { type BundleFile, bundleFiles, WORKER_LIMIT_BYTES, writeEntry } from "./entry.ts";

const ROOT = new URL("../../", import.meta.url);

const COMMANDS = {
  deploy: "Deploy the server with a model to Cloudflare Workers",
  dev: "Serve a model on this machine with workerd, as Cloudflare does",
} as const;
type Command = keyof typeof COMMANDS;

/** CPU time of a request on Workers Free, in ms (https://developers.cloudflare.com/workers/platform/limits/). */
const FREE_CPU_MS = 10;

const DEPLOY_OPTIONS = `  --dry-run          Bundle without deploying, and show the size and the expected cost
  --upload           Upload a version without sending requests to it: wrangler versions upload
`;

function help(command: Command): string {
  return `${COMMANDS[command]}

Usage: deno task ${command} [options] [options of wrangler ${command}]

  --model NAME|FILE  Model to serve: its name, its folder or an ONNX file (default: $MODEL or fashion-mnist)
${command === "deploy" ? DEPLOY_OPTIONS : ""}  --help             Show this help

All other options go to wrangler, such as --name WORKER; deno run -A ${config.imports.wrangler} ${command} --help
lists them. Settings and bindings are in wrangler.toml; see docs/deploy.md.
`;
}

interface Options {
  command: Command;
  model: string;
  /** Whether only the bundle is wanted. */
  dryRun: boolean;
  /** Whether the version is to get no requests yet. */
  upload: boolean;
  /** Arguments for wrangler. */
  rest: string[];
}

function readOptions([command, ...args]: string[]): Options {
  if (command !== "deploy" && command !== "dev") {
    const known = Object.keys(COMMANDS).join(", ");
    throw new InputError("usage", `Cannot run "${command}": the commands are ${known}`);
  }
  if (args.includes("--help") || args.includes("-h")) {
    write(Deno.stdout, help(command));
    Deno.exit(0);
  }
  const [model, rest] = take(args, "--model");
  if (model === "") {
    throw new InputError("usage", "Option --model needs a value: the name of a model or an ONNX file");
  }
  return {
    command,
    model: model ?? (Deno.env.get("MODEL") || SHIPPED_MODEL),
    dryRun: command === "deploy" && rest.includes("--dry-run"),
    upload: command === "deploy" && rest.includes("--upload"),
    rest: rest.filter((arg) => arg !== "--upload"),
  };
}

/** The value of an option, empty if it is missing, and the other arguments. */
function take(args: readonly string[], option: string): [value: string | undefined, rest: string[]] {
  const at = args.findIndex((arg) => arg === option || arg.startsWith(`${option}=`));
  if (at < 0) return [undefined, [...args]];
  const isInline = args[at] !== option;
  const value = isInline ? args[at]!.slice(option.length + 1) : args[at + 1] ?? "";
  return [value, args.toSpliced(at, isInline ? 1 : 2)];
}

/** Prepares the entry and runs wrangler; resolves to its exit code. */
async function run({ command, model, dryRun, upload, rest }: Options): Promise<number> {
  const { file, bytes } = await readModel(model);
  await using entry = await writeEntry(bytes, await readModelFiles(file));
  const { description, firstMs, imageMs } = await tryModel(bytes);
  write(Deno.stdout, describe(description, file));
  const start = [...(upload ? ["versions", "upload"] : [command]), entry.path];
  if (!dryRun) return await wrangler([...start, ...rest]);
  await using stack = new AsyncDisposableStack();
  let [folder, others] = take(rest, "--outdir");
  if (!folder) {
    folder = await Deno.makeTempDir({ prefix: "selvedge-bundle-" });
    stack.adopt(folder, (folder) => Deno.remove(folder, { recursive: true }));
  }
  const code = await wrangler([...start, ...others, "--outdir", folder]);
  if (code === 0) write(Deno.stdout, `\n${size(await bundleFiles(folder))}${cost(firstMs, imageMs)}`);
  return code;
}

/**
 * Loads the model as the worker will, and measures that.
 *
 * @throws {InputError} if it cannot be served
 */
async function tryModel(
  bytes: Uint8Array<ArrayBuffer>,
): Promise<{ description: ModelDescription; firstMs: number; imageMs: number }> {
  const start = cpuMs();
  const classifier = await loadModel(bytes);
  const image = new Uint8Array(classifier.imageSize);
  await classifier.run(image);
  const firstMs = cpuMs() - start;
  const times: number[] = [];
  for (let i = 0; i < 5; i++) {
    const start = cpuMs();
    await classifier.run(image);
    times.push(cpuMs() - start);
  }
  await classifier.close();
  // The first runs still compile.
  return { description: classifier.description, firstMs, imageMs: Math.min(...times) };
}

/** CPU time of this process so far; other programs hardly influence it. */
function cpuMs(): number {
  const { user, system } = cpuUsage();
  return (user + system) / 1000;
}

function describe(
  { name, version, labels, input, preprocessing, metrics }: ModelDescription,
  file: string,
): string {
  const { channels, height, width } = input;
  const short = relative("", file);
  return table([
    ["Model", `${name}, version ${version}, ${short.startsWith("..") ? file : short}`],
    ["Labels", `${labels.length}: ${labels.join(", ")}`],
    ["Input", `${channels} × ${height} × ${width}${preprocessing ? `, ${preprocessing}` : ""}`],
    ...(metrics
      ? [["Accuracy", `${(100 * metrics.test.accuracy).toFixed(1)} % of ${metrics.test.images} test images`]]
      : []),
  ]);
}

function size(files: BundleFile[]): string {
  const sum = (ending: string): number =>
    files.reduce((sum, { name, bytes }) => name.endsWith(ending) ? sum + bytes : sum, 0);
  const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
  const total = sum(""), model = sum(".onnx"), ort = sum("ort-wasm-simd-threaded.wasm");
  return table([[
    "Bundle",
    `${mb(total)} of ${mb(WORKER_LIMIT_BYTES)} (64 MiB): model ${mb(model)}, ONNX Runtime ${mb(ort)}, ` +
    `other ${mb(total - model - ort)}`,
  ]]);
}

function cost(firstMs: number, imageMs: number): string {
  const ms = (value: number): string => value < 1 ? value.toFixed(2) : value.toFixed(0);
  return table([
    ["CPU time", `${ms(firstMs)} ms more for the first request of an isolate, which loads the model`],
    ["", `${ms(imageMs)} ms per image for the model, as measured on this machine`],
    ...(imageMs + 1 > FREE_CPU_MS
      ? [["", `Workers Free allows ${FREE_CPU_MS} ms per request: this model needs Workers Paid`]]
      : []),
  ]);
}

function table(rows: string[][]): string {
  return rows.map(([name, text]) => `${name!.padEnd(10)} ${text}\n`).join("");
}

async function wrangler(args: string[]): Promise<number> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", config.imports.wrangler, ...args],
    cwd: ROOT,
    // The second keeps Miniflare from asking Cloudflare for the machine's location.
    env: { WRANGLER_SEND_METRICS: "false", CLOUDFLARE_CF_FETCH_ENABLED: "false" },
  }).spawn();
  // A terminal sends Ctrl-C to both; this program stays to remove its files.
  const wait = (): void => {};
  const stop = (): void => child.kill("SIGTERM");
  Deno.addSignalListener("SIGINT", wait);
  if (Deno.build.os !== "windows") Deno.addSignalListener("SIGTERM", stop);
  try {
    return (await child.status).code;
  } finally {
    Deno.removeSignalListener("SIGINT", wait);
    if (Deno.build.os !== "windows") Deno.removeSignalListener("SIGTERM", stop);
  }
}

function write(to: { writeSync(bytes: Uint8Array): number }, text: string): void {
  to.writeSync(new TextEncoder().encode(text));
}

try {
  Deno.exit(await run(readOptions(Deno.args)));
} catch (error) {
  if (!(error instanceof InputError)) throw error;
  write(Deno.stderr, `error: ${[error.message, error.hint].filter(Boolean).join(". ")}\n`);
  Deno.exit(2);
}
