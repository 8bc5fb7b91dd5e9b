/**
 * Training, against PyTorch: the bare matrix multiplication, single steps, and whole epochs.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { drawSilhouettes } from "../../shared/silhouettes/silhouettes.ts";
import { type BackendName, type GemmName, useBackend } from "../../train/backend/mod.ts";
import { batches, range } from "../../train/learning/batches.ts";
import { print } from "../../train/cli/command.ts";
import { loadDataset } from "../../train/dataset/mod.ts";
import { fit } from "../../train/learning/fit.ts";
import { HeapAdamW, HeapSgd } from "../../train/backend/gemm/optimizers.ts";
import { Mlp } from "../../train/learning/mlp.ts";
import { RECIPES } from "../../train/learning/recipe.ts";
import { removeGemm } from "../../train/backend/gemm/registry.ts";
import { FORMS, multiplySeconds, SHAPES } from "./gemm.ts";
import { Torch, type TorchWork } from "./torch.ts";

const ROUNDS = 3;
/** On a GPU the loss is read after this many steps: each read waits for all that was asked of it. */
const STEPS_A_READ = 20;

/** Who trains: a backend, on WASM with one of the ways in which we help it, or TensorFlow.js as it comes. */
type Trainer = "stock" | "native2" | GemmName | Exclude<BackendName, "wasm">;
const TRAINERS: Record<Trainer, string> = {
  webgpu: "WebGPU",
  native: "WASM, native BLAS, 1 thread",
  native2: "WASM, native BLAS, 2 threads",
  relaxed: "WASM, our kernel, relaxed SIMD",
  simd: "WASM, our kernel, plain SIMD",
  stock: "WASM, TensorFlow.js as it is",
  cpu: "CPU, TensorFlow.js as it is",
};

/** One row of a table. */
interface Entry {
  name: string;
  /** Seconds of the fastest run. */
  measure(): Promise<number>;
  /** Whether the others are compared with it. */
  rival?: boolean;
  /** Measured in one round only, as it takes long. */
  slow?: boolean;
}

/** What the bench was asked for. */
export interface TrainBenchOptions {
  /** Trains on a WebGPU adapter in software, too. */
  software: boolean;
  signal: AbortSignal;
}

/** The bare matrix multiplication, in all forms. */
export async function benchGemm({ signal }: TrainBenchOptions): Promise<void> {
  await besideTorch(async (torch) => {
    for (const [m, k, n] of SHAPES) {
      const ours = (["simd", "relaxed", "native"] as const).flatMap((gemm) =>
        FORMS.map((form) => ({
          name: `${TRAINERS[gemm]}, ${form.name}`,
          measure: () => multiplySeconds(gemm, [m, k, n], form, signal),
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

/** Steps of 784-512-512-10 on a batch that is there already. */
export async function benchSteps({ software, signal }: TrainBenchOptions): Promise<void> {
  const trainers = await trainersHere(software);
  await besideTorch(async (torch) => {
    for (const optimizer of ["sgd", "adamw"] as const) {
      for (const batchSize of [64, 256, 1024]) {
        const ours = trainers
          // What takes seconds a step is measured once, and with one optimizer.
          .filter((trainer) => optimizer === "sgd" || !isSlow(trainer))
          .map((trainer) => ({
            name: TRAINERS[trainer],
            slow: isSlow(trainer) || software && trainer === "webgpu",
            measure: () => stepSeconds(trainer, optimizer, batchSize, signal),
          }));
        await compare(
          `Training 784-512-512-10 with ${optimizer}, batch ${batchSize}, images/s`,
          batchSize,
          [...rivals(torch, 1, { batch_size: batchSize, optimizer, steps: STEPS_A_READ }), ...ours],
        );
      }
    }
  });
}

/**
 * Whole epochs of the training loop: with SGD, shuffled and mirrored at random; and with all that the default recipe
 * does.
 */
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
        async measure(): Promise<number> {
          const backend = await use(trainer);
          const model = new Mlp([784, 512, 512, 10], 0);
          const { epochs } = await fit(model, dataset, { recipe, seed: 0, backend, signal });
          model.dispose();
          return count / epochs[0]!.imagesPerSecond;
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

/** Runs a bench with a PyTorch beside it, if there is one. */
async function besideTorch(run: (torch: Torch | undefined) => Promise<void>): Promise<void> {
  const torch = await Torch.start();
  if (typeof torch === "string") print(`\nWithout PyTorch: ${torch}`);
  else {print(
      `\nPyTorch ${torch.version}; beside each speed, its share of PyTorch's in the order of the rows`,
    );}
  try {
    await run(typeof torch === "string" ? undefined : torch);
  } finally {
    if (typeof torch !== "string") await torch.close();
  }
}

/** PyTorch on one core, on two, and on the graphics card if it has one. */
function rivals(torch: Torch | undefined, seconds: number, work: TorchWork, cuda = true): Entry[] {
  if (!torch) return [];
  const devices = [
    { name: "PyTorch, 1 thread", threads: 1, device: "cpu" as const },
    { name: "PyTorch, 2 threads", threads: 2, device: "cpu" as const },
    ...(cuda && torch.cuda ? [{ name: "PyTorch, CUDA", threads: 1, device: "cuda" as const }] : []),
  ];
  return devices.map(({ name, threads, device }) => ({
    name,
    rival: true,
    measure: () => torch.measure({ threads, seconds, device, ...work }),
  }));
}

/**
 * Prints the best of some rounds, in which all take turns: the machine may be slower for a while, and would be
 * so for one of them only.
 */
async function compare(title: string, work: number, entries: Entry[]): Promise<void> {
  const best = entries.map(() => Infinity);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, { measure, slow }] of entries.entries()) {
      if (round === 0 || !slow) best[i] = Math.min(best[i]!, await measure());
    }
  }
  print(`\n${title}`);
  for (const [i, { name, rival }] of entries.entries()) {
    const speed = work / best[i]!;
    const shares = rival ? [] : entries.flatMap((other, j) => other.rival ? [best[j]! / best[i]!] : []);
    const beside = shares.map((share) => `  ${share.toFixed(share < 0.1 ? 3 : 2)}×`).join("");
    print(`  ${name.padEnd(42)} ${speed.toFixed(speed < 100 ? 1 : 0).padStart(7)}${beside}`);
  }
}

async function trainersHere(software: boolean): Promise<Trainer[]> {
  const adapter = await navigator.gpu?.requestAdapter();
  const { isFallbackAdapter } = (adapter?.info ?? {}) as { isFallbackAdapter?: boolean };
  const gpu = adapter !== null && adapter !== undefined && (software || !isFallbackAdapter);
  if (!gpu) print(`\nWithout WebGPU: ${adapter ? "its adapter is software; see --software" : "no adapter"}`);
  const { gemm, hint } = await useBackend("wasm");
  if (gemm !== "native") print(`\nWithout a native BLAS: ${hint}`);
  return (Object.keys(TRAINERS) as Trainer[]).filter((trainer) =>
    trainer === "webgpu" ? gpu : !trainer.startsWith("native") || gemm === "native"
  );
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

/** Seconds of the fastest step. */
async function stepSeconds(
  trainer: Trainer,
  optimizerName: "sgd" | "adamw",
  batchSize: number,
  signal: AbortSignal,
): Promise<number> {
  const backend = await use(trainer);
  const inPlace = trainer.startsWith("native") || trainer === "relaxed" || trainer === "simd";
  const split = { ...drawSilhouettes(batchSize, 1), count: batchSize };
  const [batch] = batches(split, range(batchSize), { batchSize, classes: 10, width: 28 });
  const { images, targets } = batch!;
  const model = new Mlp([784, 512, 512, 10], 0);
  // TensorFlow.js has no AdamW; its Adam is that without the decay, which costs a few percent more.
  const optimizer = optimizerName === "sgd"
    ? inPlace ? new HeapSgd(1e-3) : tf.train.sgd(1e-3)
    : inPlace
    ? new HeapAdamW(1e-3, { weightDecay: 0.01 })
    : tf.train.adam(1e-3);
  const reads = isSlow(trainer) ? 1 : trainer === "webgpu" ? 2 : Math.max(10, 6400 / batchSize);
  const steps = trainer === "webgpu" ? STEPS_A_READ : 1;
  let best = Infinity;
  for (let read = 0; read < reads; read++) {
    signal.throwIfAborted();
    const start = performance.now();
    for (let step = 1; step <= steps; step++) {
      const loss = optimizer.minimize(
        () => tf.losses.softmaxCrossEntropy(targets, model.logits(images)).asScalar(),
        true,
      )!;
      if (step === steps) await loss.data();
      loss.dispose();
    }
    backend.check();
    best = Math.min(best, (performance.now() - start) / steps);
    if (read % 10 === 0) await new Promise((resolve) => setTimeout(resolve));
  }
  tf.dispose([images, targets]);
  model.dispose();
  optimizer.dispose();
  return best / 1000;
}
