/**
 * Training beside PyTorch and jax-js: matrix multiplication, single steps, and whole epochs.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { drawSilhouettes } from "../../shared/silhouettes/silhouettes.ts";
import { type BackendName, type GemmName, useBackend } from "../../train/backend/mod.ts";
import { type Batch, batches, range } from "../../train/learning/batches.ts";
import { print } from "../../train/cli/command.ts";
import { loadDataset } from "../../train/dataset/mod.ts";
import { fit } from "../../train/learning/fit.ts";
import { HeapAdamW, HeapSgd } from "../../train/backend/gemm/optimizers.ts";
import { Mlp } from "../../train/learning/mlp.ts";
import { RECIPES } from "../../train/learning/recipe.ts";
import { removeGemm } from "../../train/backend/gemm/registry.ts";
import { FORMS, multiplySeconds, SHAPES } from "./gemm.ts";
import { withJaxStep } from "./jax.ts";
import { besideTorch, compare, rivals } from "./table.ts";

/** On a GPU the loss is read after this many steps, because each read waits for the device. */
const STEPS_PER_READ = 20;
/** How long each row is measured in each round. */
const ROW_SECONDS = 1;
const LEARNING_RATE = 1e-3;

/** A backend; on WASM, one of our ways to multiply matrices, or TensorFlow.js without changes. */
type Trainer = "stock" | "native2" | GemmName | Exclude<BackendName, "wasm">;
const TRAINERS: Record<Trainer, string> = {
  webgpu: "WebGPU",
  native: "WASM, native BLAS, 1 thread",
  native2: "WASM, native BLAS, 2 threads",
  relaxed: "WASM, our kernel, relaxed SIMD",
  simd: "WASM, our kernel, plain SIMD",
  stock: "WASM, TensorFlow.js unchanged",
  cpu: "CPU, TensorFlow.js unchanged",
};

/** Options of the training benchmarks. */
export interface TrainBenchOptions {
  /** Includes a WebGPU adapter in software. */
  software: boolean;
  signal: AbortSignal;
}

/** Matrix multiplication in all transposed forms. */
export async function benchGemm({ signal }: TrainBenchOptions): Promise<void> {
  const native = await hasNative() ? ["native", "native2"] as const : [];
  await besideTorch(async (torch) => {
    for (const [m, k, n] of SHAPES) {
      const ours = ([...native, "relaxed", "simd"] as const).flatMap((trainer) =>
        FORMS.map((form) => ({
          name: `${TRAINERS[trainer]}, ${form.name}`,
          async measure(): Promise<number[]> {
            await use(trainer);
            return multiplySeconds([m, k, n], form, signal);
          },
        }))
      );
      await compare(
        `Multiplying ${m}×${k} and ${k}×${n}, GFLOP/s`,
        2e-9 * m * k * n,
        [...rivals(torch, 0.5, { shape: [m, k, n] }, false), ...ours],
      );
    }
  });
}

/** Steps of 784-512-512-10 on a batch that is already on the device. */
export async function benchSteps({ software, signal }: TrainBenchOptions): Promise<void> {
  const trainers = await trainersHere(software);
  await besideTorch(async (torch) => {
    for (const optimizer of ["sgd", "adamw"] as const) {
      for (const batchSize of [64, 256, 1024]) {
        const ours = trainers
          // Steps that take seconds are measured once, with one optimizer.
          .filter((trainer) => optimizer === "sgd" || !isSlow(trainer))
          .map((trainer) => ({
            name: TRAINERS[trainer],
            slow: isSlow(trainer) || software && trainer === "webgpu",
            measure: () => stepSeconds(trainer, optimizer, batchSize, signal),
          }));
        const jax = optimizer === "sgd"
          ? [{ name: "jax-js, WASM, all cores", measure: () => jaxStepSeconds(batchSize, signal) }]
          : [];
        await compare(
          `Training 784-512-512-10 with ${optimizer}, batch ${batchSize}, images/s`,
          batchSize,
          [
            ...rivals(torch, ROW_SECONDS, { batch_size: batchSize, optimizer, steps: STEPS_PER_READ }),
            ...ours,
            ...jax,
          ],
        );
      }
    }
  });
}

/** Epochs of the training loop: with SGD, shuffled and mirrored at random; and with the default recipe. */
export async function benchEpochs({ software, signal }: TrainBenchOptions): Promise<void> {
  const trainers = (await trainersHere(software)).filter((trainer) => !isSlow(trainer));
  const dataset = await loadDataset("silhouettes");
  const { count } = dataset.train;
  await besideTorch(async (torch) => {
    const simple = { ...RECIPES.quickstart, epochs: 1, shuffle: true, flip: true };
    const complete = { ...RECIPES.default, epochs: 1, validation: 0 };
    for (const recipe of [{ ...simple, batchSize: 64 }, { ...simple, batchSize: 256 }, complete]) {
      const { batchSize } = recipe, optimizer = recipe === complete ? "default" : "sgd";
      const ours = trainers.map((trainer) => ({
        name: TRAINERS[trainer],
        async measure(): Promise<number[]> {
          const backend = await use(trainer);
          const model = new Mlp([784, 512, 512, 10], 0);
          const { epochs } = await fit(model, dataset, { recipe, seed: 0, backend, signal });
          model.dispose();
          return [count / epochs[0]!.imagesPerSecond];
        },
      }));
      await compare(
        `An epoch of ${count} images with ${
          optimizer === "sgd" ? "sgd" : "the default recipe"
        }, batch ${batchSize}, images/s`,
        count,
        [...rivals(torch, 1, { epoch: count, batch_size: batchSize, optimizer }), ...ours],
      );
    }
  });
}

async function trainersHere(software: boolean): Promise<Trainer[]> {
  const adapter = await navigator.gpu?.requestAdapter();
  const { isFallbackAdapter } = (adapter?.info ?? {}) as { isFallbackAdapter?: boolean };
  const gpu = adapter !== null && adapter !== undefined && (software || !isFallbackAdapter);
  if (!gpu) print(`\nWithout WebGPU: ${adapter ? "its adapter is software; see --software" : "no adapter"}`);
  const native = await hasNative();
  return (Object.keys(TRAINERS) as Trainer[]).filter((trainer) =>
    trainer === "webgpu" ? gpu : native || !trainer.startsWith("native")
  );
}

async function hasNative(): Promise<boolean> {
  const { gemm, hint } = await useBackend("wasm");
  if (gemm !== "native") print(`\nWithout a native BLAS: ${hint}`);
  return gemm === "native";
}

function isSlow(trainer: Trainer): boolean {
  return trainer === "stock" || trainer === "cpu";
}

async function use(trainer: Trainer): ReturnType<typeof useBackend> {
  if (trainer === "webgpu" || trainer === "cpu") return await useBackend(trainer);
  if (trainer === "native2") return await useBackend("wasm", "native", 2);
  const backend = await useBackend("wasm", trainer === "stock" ? "relaxed" : trainer, 1);
  if (trainer === "stock") removeGemm();
  return backend;
}

/** Seconds of each step. */
async function stepSeconds(
  trainer: Trainer,
  optimizerName: "sgd" | "adamw",
  batchSize: number,
  signal: AbortSignal,
): Promise<number[]> {
  const backend = await use(trainer);
  const inPlace = trainer.startsWith("native") || trainer === "relaxed" || trainer === "simd";
  const { images, targets } = firstBatch(batchSize);
  const model = new Mlp([784, 512, 512, 10], 0);
  // TensorFlow.js has no AdamW; its Adam is AdamW without weight decay, which costs a few percent more.
  const optimizer = optimizerName === "sgd"
    ? inPlace ? new HeapSgd(LEARNING_RATE) : tf.train.sgd(LEARNING_RATE)
    : inPlace
    ? new HeapAdamW(LEARNING_RATE, { weightDecay: 0.01 })
    : tf.train.adam(LEARNING_RATE);
  const steps = trainer === "webgpu" ? STEPS_PER_READ : 1;
  const seconds = await repeat(isSlow(trainer) ? 1 : Infinity, signal, async () => {
    for (let step = 1; step <= steps; step++) {
      const loss = optimizer.minimize(
        () => tf.losses.softmaxCrossEntropy(targets, model.logits(images)).asScalar(),
        true,
      )!;
      if (step === steps) await loss.data();
      loss.dispose();
    }
    backend.check();
  });
  tf.dispose([images, targets]);
  model.dispose();
  optimizer.dispose();
  return seconds.map((value) => value / steps);
}

/** Seconds of each step of jax-js, with the same weights and batch. */
async function jaxStepSeconds(batchSize: number, signal: AbortSignal): Promise<number[]> {
  await use("cpu");
  const { images, targets } = firstBatch(batchSize);
  const model = new Mlp([784, 512, 512, 10], 0);
  const weights = await model.weights();
  const batch = {
    images: new Float32Array(await images.data()),
    targets: new Float32Array(await targets.data()),
  };
  tf.dispose([images, targets]);
  model.dispose();
  return await withJaxStep(weights, batch, LEARNING_RATE, async (step) => {
    await step(); // compiles
    return await repeat(Infinity, signal, step);
  });
}

function firstBatch(batchSize: number): Batch {
  const split = { ...drawSilhouettes(batchSize, 1), count: batchSize };
  const [batch] = batches(split, range(batchSize), { batchSize, classes: 10, width: 28 });
  return batch!;
}

/** Seconds of each call, for {@linkcode ROW_SECONDS} or up to a number of calls. */
async function repeat(calls: number, signal: AbortSignal, run: () => Promise<unknown>): Promise<number[]> {
  const seconds: number[] = [];
  const endMs = performance.now() + ROW_SECONDS * 1000;
  while (seconds.length < calls && performance.now() < endMs) {
    signal.throwIfAborted();
    const startMs = performance.now();
    await run();
    seconds.push((performance.now() - startMs) / 1000);
    if (seconds.length % 10 === 0) await new Promise((resolve) => setTimeout(resolve));
  }
  return seconds;
}
