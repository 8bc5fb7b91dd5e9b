import { assertEquals, assertGreaterOrEqual, assertMatch, assertStringIncludes } from "@std/assert";
import { Random } from "../../shared/random.ts";
import { checkpointIn } from "../../train/artifact/checkpoint.ts";
import { readMetrics } from "../../train/artifact/metrics.ts";
import { runSteps, runTask, startTask } from "../helpers/command.ts";
import { WITHOUT_NATIVE } from "../helpers/products.ts";
import { inTemporaryFolder } from "../helpers/temporary_folder.ts";

/** What `helpers/breakpoint.ts` prints when it has stopped the process. */
const REACHED = "reached the breakpoint\n";
const SEED = 20261125;
/** 10,800 training images beside 1,200 for validation, in batches of 500. */
const EPOCHS = 8, STEPS_PER_EPOCH = 22;

/** Uses everything that has a state or a random generator. */
const RUN = [
  ...["--dataset", "silhouettes", "--backend", "wasm", "--hidden", "24", "--epochs", String(EPOCHS)],
  ...[
    "--batch-size",
    "500",
    "--dropout",
    "0.2",
    "--shift",
    "1",
    "--mixup",
    "0.4",
    "--ema",
    "0.9",
    "--seed",
    "5",
  ],
];

interface Case {
  title: string;
  options: string[];
  /** How many epochs have a better validation accuracy than all before, without the first. */
  newBests: (count: number) => void;
}

const CASES: Case[] = [
  {
    title: `AdamW ${WITHOUT_NATIVE ? "on our kernel" : "on a native BLAS"}, where most epochs are a new best`,
    options: ["--optimizer", "adamw", "--gemm", WITHOUT_NATIVE ? "auto" : "native", "--threads", "1"],
    newBests: (count) => assertGreaterOrEqual(count, 5),
  },
  {
    title: "momentum on our kernel, where no epoch is a new best",
    options: ["--optimizer", "momentum", "--gemm", "relaxed", "--learning-rate", "1e-9"],
    newBests: (count) => assertEquals(count, 0),
  },
];

Deno.test("a run that is killed 15 times ends with the same bytes", async (t) => {
  await runSteps(t, CASES.map(({ title, ...given }) => [title, () => resumesToTheSameBytes(given)]));
});

async function resumesToTheSameBytes({ options, newBests }: Omit<Case, "title">): Promise<void> {
  await inTemporaryFolder(async (out) => {
    const args = [...RUN, ...options];
    const whole = await runTask("train", [...args, "--out", `${out}/whole`]);
    assertEquals(whole.code, 0, whole.stderr);
    const { epochs } = await readMetrics(`${out}/whole/silhouettes`);
    const accuracies = epochs.map(({ validation }) => validation!.accuracy);
    newBests(
      accuracies.filter((accuracy, i) => i > 0 && accuracy > Math.max(...accuracies.slice(0, i))).length,
    );

    for (const point of breakpoints()) await killAt(point, [...args, "--resume", "--out", `${out}/killed`]);
    const last = await runTask("train", [...args, "--resume", "--out", `${out}/killed`]);
    assertEquals(last.code, 0, last.stderr);
    assertStringIncludes(last.stderr, `after epoch ${EPOCHS}`);

    const model = (run: string): Promise<Uint8Array> => Deno.readFile(`${out}/${run}/silhouettes/model.onnx`);
    assertEquals(await model("killed"), await model("whole"));
    assertEquals(await filesIn(`${out}/killed/silhouettes`), await filesIn(`${out}/whole/silhouettes`));
  });
}

/** Four points in each of three rounds, two of which are after a new checkpoint, and three while the model is written. */
function breakpoints(): string[] {
  const random = new Random(SEED);
  const step = (epoch: number): string =>
    `step:${epoch * STEPS_PER_EPOCH + 1 + random.below(STEPS_PER_EPOCH)}`;
  const rounds = Array.from({ length: 3 }, () => {
    const round = [step(0), step(1), "before:checkpoint.safetensors", "after:checkpoint.safetensors"];
    random.shuffle(round);
    return round;
  });
  return [...rounds.flat(), "before:model.onnx", "after:model.onnx", "before:metrics.json"];
}

/** Runs `deno task train` up to a breakpoint and ends it with SIGKILL there. */
async function killAt(point: string, args: string[]): Promise<void> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--preload", "tests/helpers/breakpoint.ts", "train/commands/train.ts", ...args],
    cwd: new URL("../../", import.meta.url),
    env: { NO_COLOR: "1", BREAKPOINT: point },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const stderr = new Response(child.stderr).text();
  let stdout = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    stdout += text;
    if (stdout.endsWith(REACHED)) child.kill("SIGKILL");
  }
  const { signal } = await child.status;
  await child.stdin.close();
  assertEquals({ stdout, signal }, { stdout: REACHED, signal: "SIGKILL" }, `${point}: ${await stderr}`);
}

async function filesIn(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).sort();
}

Deno.test("a run that cannot write its model keeps the checkpoint, and continues when it can", async () => {
  await inTemporaryFolder(async (out) => {
    const args = [...RUN, "--out", out];
    const folder = `${out}/silhouettes`;
    // A folder where the file should be.
    await Deno.mkdir(`${folder}/metrics.json/x`, { recursive: true });
    const refused = await runTask("train", args);
    assertEquals(refused.code, 69);
    assertStringIncludes(refused.stderr, `Cannot write the model to "${folder}"`);
    await Deno.remove(`${folder}/metrics.json`, { recursive: true });
    const again = await runTask("train", [...args, "--resume"]);
    assertEquals(again.code, 0, again.stderr);
    assertStringIncludes(again.stderr, `after epoch ${EPOCHS}`);
  });
});

Deno.test("deno task train neither continues nor replaces an interrupted run without --resume or --restart", async () => {
  await inTemporaryFolder(async (out) => {
    // Too many epochs to finish before the signal arrives.
    const args = [...RUN, "--epochs", "10000", "--out", out];
    const child = startTask("train", args);
    const lines = child.stderr.pipeThrough(new TextDecoderStream());
    let stderr = "";
    for await (const text of lines) {
      stderr += text;
      if (/epoch +2\/10000/.test(stderr)) {
        child.kill("SIGINT");
        break;
      }
    }
    await child.stdout.cancel();
    assertEquals((await child.status).code, 130);
    const checkpoint = await Deno.readFile(checkpointIn(`${out}/silhouettes`));

    const again = await runTask("train", args);
    assertEquals(again.code, 1);
    assertStringIncludes(again.stderr, "Continue it with --resume, or discard it with --restart");
    const other = await runTask("train", [...args, "--resume", "--dropout", "0.3"]);
    assertEquals(other.code, 1);
    assertStringIncludes(
      other.stderr,
      "dropout must be that of the interrupted run, 0.2: current value is 0.3",
    );
    assertEquals(await Deno.readFile(checkpointIn(`${out}/silhouettes`)), checkpoint);

    const restarted = await runTask("train", [...args, "--restart", "--epochs", "1"]);
    assertEquals(restarted.code, 0, restarted.stderr);
    assertMatch(restarted.stderr, /^epoch 1\/1 /m);
  });
});
