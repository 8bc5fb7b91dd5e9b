/** `deno task bench`: how fast this machine trains and classifies, as figures to compare within one run. */
import * as tf from "@tensorflow/tfjs";
import { drawSilhouettes } from "../../fixtures/silhouettes.ts";
import { Classifier } from "../../shared/inference/classifier.ts";
import { type GemmName, useBackend } from "../../train/backend.ts";
import { batches, range } from "../../train/batches.ts";
import { type Command, type Option, print, runCommand } from "../../train/cli.ts";
import { HeapAdamW, HeapSgd } from "../../train/gemm/optimizers.ts";
import { Mlp } from "../../train/mlp.ts";
import { DEFAULT_MODEL, readModel } from "../../train/model_file.ts";
import { benchServe } from "./serve.ts";
import { unmendMatMul } from "../../train/wasm_matmul.ts";
import { FORMS, multiplySeconds, SHAPES } from "./gemm.ts";
import { Torch, type TorchRequest } from "./torch.ts";

const ROUNDS = 5;

const command = {
  name: "deno task bench",
  summary: "Measures training, classification and the server on this machine.",
  options: {},
  operands: "[train] [classify] [serve]",
  notes:
    `Only ratios of one run mean anything: machines differ, and shared ones drift. Classification is the median\n` +
    `of ${ROUNDS} rounds. PyTorch runs alongside if python3, or the interpreter that PYTHON names, has it.`,
} satisfies Command<Record<string, Option<unknown>>>;

await runCommand(command, async (_values, operands, signal) => {
  const parts = { train: benchTrain, classify: benchClassify, serve: benchServe };
  for (const name of operands) {
    if (!Object.hasOwn(parts, name)) {
      throw new Error(`Unknown bench "${name}": accepted are ${Object.keys(parts).join(", ")}`);
    }
  }
  const { hardwareConcurrency } = navigator;
  print(`${Deno.build.target}, Deno ${Deno.version.deno}, ${hardwareConcurrency} cores`);
  for (const [name, run] of Object.entries(parts)) {
    if (operands.length === 0 || operands.includes(name)) await run(signal);
  }
});

/** Who trains: TensorFlow.js as it comes, or one of the ways in which we help it. */
type Trainer = "stock" | GemmName;
const TRAINERS: Record<Trainer, string> = {
  stock: "TensorFlow.js as it is",
  tfjs: "its matMul mended",
  simd: "our kernel, plain SIMD",
  relaxed: "our kernel, relaxed SIMD",
};

/** The bare matrix multiplication, then whole training steps of 784-512-512-10, with the batch's upload. */
async function benchTrain(signal: AbortSignal): Promise<void> {
  const torch = await Torch.start();
  if (typeof torch === "string") print(`Without PyTorch: ${torch}`);
  else print(`PyTorch ${torch.version} on the CPU, with 1 and 2 threads`);
  print(`The best of many steps, taken in turns in ${ROUNDS} rounds; after it, its share of PyTorch's`);
  // In turns, as the machine may be slower for a while, and would be so for one of them only.
  const compare = async (rivals: TorchRequest[], runs: (() => Promise<number>)[]): Promise<number[][]> => {
    const best = [rivals.map(() => Infinity), runs.map(() => Infinity)] as [number[], number[]];
    for (let round = 0; round < ROUNDS; round++) {
      for (const [i, rival] of rivals.entries()) {
        if (typeof torch !== "string") best[0][i] = Math.min(best[0][i]!, await torch.measure(rival));
      }
      for (const [i, run] of runs.entries()) best[1][i] = Math.min(best[1][i]!, await run());
    }
    return best;
  };
  const show = (work: number, names: string[], [rivals, runs]: number[][]): void => {
    rivals!.forEach((seconds, i) => {
      if (seconds < Infinity) row(`PyTorch, ${i + 1} thread${i ? "s" : ""}`, work / seconds);
    });
    runs!.forEach((seconds, i) => row(names[i]!, work / seconds, rivals!.map((rival) => rival / seconds)));
  };

  for (const [m, k, n] of SHAPES) {
    print(`\nMultiplying ${m}×${k} and ${k}×${n} on WASM, GFLOP/s`);
    const rivals = [1, 2].map((threads) => ({ threads, seconds: 1, shape: [m, k, n] }));
    const cases = (["tfjs", "simd", "relaxed"] as const).flatMap((gemm) =>
      FORMS.map((form) => ({ name: `${TRAINERS[gemm]}, ${form.name}`, gemm, form }))
    );
    const runs = cases.map(({ gemm, form }) => () => multiplySeconds(gemm, [m, k, n], form, signal));
    show(2e-9 * m * k * n, cases.map(({ name }) => name), await compare(rivals, runs));
  }
  for (const optimizer of ["sgd", "adamw"] as const) {
    for (const batchSize of [64, 256, 1024]) {
      print(`\nTraining 784-512-512-10 with ${optimizer}, batch ${batchSize}, images/s`);
      const rivals = [1, 2].map((threads) => ({ threads, seconds: 2, batch_size: batchSize, optimizer }));
      const trainers = Object.keys(TRAINERS) as Trainer[];
      const runs = trainers.map((trainer) => () => stepSeconds(trainer, optimizer, batchSize, signal));
      show(batchSize, trainers.map((trainer) => TRAINERS[trainer]), await compare(rivals, runs));
    }
  }
  if (typeof torch !== "string") await torch.close();
}

function row(name: string, speed: number, shares: number[] = []): void {
  const digits = speed < 100 ? 1 : 0;
  const beside = shares.filter(Number.isFinite).map((share) => `  ${share.toFixed(2)}×`).join("");
  print(`  ${name.padEnd(42)} ${speed.toFixed(digits).padStart(7)}${beside}`);
}

/** Seconds of the fastest step. */
async function stepSeconds(
  trainer: Trainer,
  optimizerName: "sgd" | "adamw",
  batchSize: number,
  signal: AbortSignal,
): Promise<number> {
  await useBackend("wasm", trainer === "stock" ? "tfjs" : trainer);
  if (trainer === "stock") unmendMatMul();
  const inPlace = trainer === "relaxed" || trainer === "simd";
  const split = { ...drawSilhouettes(batchSize, 1), count: batchSize };
  const model = new Mlp([784, 512, 512, 10], 0);
  // TensorFlow.js has no AdamW; its Adam is that without the decay, which costs a few percent more.
  const optimizer = optimizerName === "sgd"
    ? inPlace ? new HeapSgd(1e-3) : tf.train.sgd(1e-3)
    : inPlace
    ? new HeapAdamW(1e-3, { weightDecay: 0.01 })
    : tf.train.adam(1e-3);
  const steps = trainer === "stock" ? 2 : Math.max(20, 10_000 / batchSize);
  let best = Infinity;
  for (let step = 0; step < steps; step++) {
    signal.throwIfAborted();
    const start = performance.now();
    for (const batch of batches(split, range(batchSize), { batchSize, classes: 10, width: 28 })) {
      const loss = optimizer.minimize(
        () => tf.losses.softmaxCrossEntropy(batch.targets, model.logits(batch.images)).asScalar(),
        true,
      )!;
      await loss.data();
      tf.dispose([batch.images, batch.targets, loss]);
    }
    best = Math.min(best, performance.now() - start);
    if (step % 10 === 0) await new Promise((resolve) => setTimeout(resolve));
  }
  model.dispose();
  optimizer.dispose();
  return best / 1000;
}

/** Runs of the shipped model in ONNX Runtime Web, pixels in and probabilities out. */
async function benchClassify(signal: AbortSignal): Promise<void> {
  print("\nClassifying with ONNX Runtime Web, µs per image");
  const classifier = await Classifier.load(await readModel(DEFAULT_MODEL));
  let single = 0;
  for (const count of [1, 8, 64]) {
    const { images } = drawSilhouettes(count, 1);
    const seconds = await median(
      async () => void await classifier.run(images),
      Math.ceil(512 / count),
      signal,
    );
    const micros = seconds / count * 1e6;
    single ||= micros;
    print(
      `  ${`batch ${count}`.padEnd(42)} ${micros.toFixed(1).padStart(7)}  ${(single / micros).toFixed(1)}×`,
    );
  }
  await classifier.close();
}

/** Seconds of one call: the median of the rounds' means, after a warm-up. */
async function median(run: () => Promise<void>, calls: number, signal: AbortSignal): Promise<number> {
  const seconds: number[] = [];
  for (let round = -1; round < ROUNDS; round++) {
    signal.throwIfAborted();
    const start = performance.now();
    for (let i = 0; i < calls; i++) await run();
    if (round >= 0) seconds.push((performance.now() - start) / 1000 / calls);
    await new Promise((resolve) => setTimeout(resolve));
  }
  return seconds.sort((a, b) => a - b)[ROUNDS >> 1]!;
}
