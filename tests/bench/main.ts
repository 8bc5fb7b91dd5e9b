/** `deno task bench`: how fast this machine trains and classifies, as figures to compare within one run. */
import * as tf from "@tensorflow/tfjs";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import { drawSilhouettes } from "../../fixtures/silhouettes.ts";
import { Classifier } from "../../shared/inference/classifier.ts";
import { useBackend } from "../../train/backend.ts";
import { batches, range } from "../../train/batches.ts";
import { type Command, type Option, print, runCommand } from "../../train/cli.ts";
import { Mlp } from "../../train/mlp.ts";
import { DEFAULT_MODEL, readModel } from "../../train/model_file.ts";

const ROUNDS = 5;

const command = {
  name: "deno task bench",
  summary: "Measures training and classification on this machine.",
  options: {},
  operands: "[train] [classify]",
  notes:
    `Each figure is the median of ${ROUNDS} rounds. Only ratios of one run mean anything: machines differ, and\n` +
    "shared ones drift.",
} satisfies Command<Record<string, Option<unknown>>>;

await runCommand(command, async (_values, operands, signal) => {
  const parts = { train: benchTrain, classify: benchClassify };
  for (const name of operands) {
    if (!Object.hasOwn(parts, name)) throw new Error(`Unknown bench "${name}": accepted are train, classify`);
  }
  const { hardwareConcurrency } = navigator;
  print(`${Deno.build.target}, Deno ${Deno.version.deno}, ${hardwareConcurrency} cores`);
  for (const [name, run] of Object.entries(parts)) {
    if (operands.length === 0 || operands.includes(name)) await run(signal);
  }
});

/** Steps of plain SGD on the 784-512-512-10 network, with the batch's upload. */
async function benchTrain(signal: AbortSignal): Promise<void> {
  print("\nTraining 784-512-512-10 with SGD, images/s");
  const file = "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm";
  setWasmPaths(new URL(".", import.meta.resolve(file)).href);
  await tf.setBackend("wasm");
  const stock = await trainingSpeed(64, 8, signal);
  // From here on the kernel is mended.
  await useBackend("wasm");
  const rows: [string, number][] = [["WASM, TensorFlow.js as it is, batch 64", stock]];
  for (const batchSize of [64, 256, 1024]) {
    const speed = await trainingSpeed(batchSize, Math.ceil(4096 / batchSize), signal);
    rows.push([`WASM, matMul mended, batch ${batchSize}`, speed]);
  }
  for (const [name, speed] of rows) {
    print(`  ${name.padEnd(42)} ${String(Math.round(speed)).padStart(7)}  ${(speed / stock).toFixed(1)}×`);
  }
}

async function trainingSpeed(batchSize: number, steps: number, signal: AbortSignal): Promise<number> {
  const split = { ...drawSilhouettes(batchSize, 1), count: batchSize };
  const indices = range(batchSize);
  const model = new Mlp([784, 512, 512, 10], 0);
  const optimizer = tf.train.sgd(1e-3);
  const step = async (): Promise<void> => {
    for (const { images, targets } of batches(split, indices, { batchSize, classes: 10, width: 28 })) {
      const loss = optimizer.minimize(
        () => tf.losses.softmaxCrossEntropy(targets, model.logits(images)).asScalar(),
        true,
      )!;
      await loss.data();
      tf.dispose([images, targets, loss]);
    }
  };
  const seconds = await median(step, steps, signal);
  model.dispose();
  return batchSize / seconds;
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
