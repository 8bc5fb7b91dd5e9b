import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertLess,
  assertRejects,
  assertThrows,
} from "@std/assert";
import * as tf from "@tensorflow/tfjs";
import { InputError } from "../../shared/errors.ts";
import { type BackendName, useBackend } from "../../train/backend/mod.ts";
import { loadDataset } from "../../train/dataset/mod.ts";
import { fit, type FitResult } from "../../train/learning/fit.ts";
import { type LinearWeights, Mlp } from "../../train/learning/mlp.ts";
import { type Recipe, RECIPES } from "../../train/learning/recipe.ts";
import { runTask } from "../helpers/command.ts";

const adapter = await navigator.gpu?.requestAdapter();

/** Tests that need a GPU. A software one suffices, such as lavapipe in Debian's mesa-vulkan-drivers, which CI uses. */
function onGpu(name: string, fn: () => Promise<void>): void {
  const ignore = !adapter;
  Deno.test({ name: ignore ? `${name} (needs a WebGPU adapter)` : name, ignore, fn });
}

/** Gives the next test a new device: this one is broken. */
function forgetDevice(): void {
  const start = tf.findBackendFactory("webgpu");
  tf.removeBackend("webgpu");
  tf.registerBackend("webgpu", start, 3);
}

const dataset = await loadDataset("silhouettes");

/** Trains a small network on few images. */
async function train(
  name: BackendName,
  changes: Partial<Recipe>,
  maxSteps: number,
): Promise<FitResult & { weights: LinearWeights[] }> {
  const backend = await useBackend(name);
  const model = new Mlp([784, 24, 10], 0);
  const recipe: Recipe = { ...RECIPES.default, hidden: [24], batchSize: 16, validation: 32, ...changes };
  const { images, labels } = dataset.train;
  const train = { count: 256, images: images.subarray(0, 256 * 784), labels: labels.subarray(0, 256) };
  const result = await fit(model, { ...dataset, train }, { recipe, seed: 0, backend, maxSteps });
  const weights = await model.weights();
  model.dispose();
  return { ...result, weights };
}

/** How far apart two networks are: the largest difference of a weight or bias. */
function distance(a: LinearWeights[], b: LinearWeights[]): number {
  const numbers = (weights: LinearWeights[]): number[] =>
    weights.flatMap(({ weight, bias }) => [...weight, ...bias]);
  const other = numbers(b);
  return numbers(a).reduce((most, value, i) => Math.max(most, Math.abs(value - other[i]!)), 0);
}

onGpu("one step on WebGPU is that of WASM and of the CPU, to the rounding", async () => {
  for (const optimizer of ["sgd", "adamw"] as const) {
    const changes: Partial<Recipe> = { optimizer, epochs: 1, validation: 0, learningRate: 1e-3 };
    const gpu = await train("webgpu", changes, 1);
    for (const name of ["wasm", "cpu"] as const) {
      const { epochs, weights } = await train(name, changes, 1);
      assertAlmostEquals(gpu.epochs[0]!.trainLoss, epochs[0]!.trainLoss, 1e-5, name);
      // Adam divides each gradient by its own size: of one near zero, only the sign is left.
      assertLess(distance(gpu.weights, weights), optimizer === "sgd" ? 1e-6 : 2e-3, `${optimizer}, ${name}`);
    }
  }
});

onGpu("a short run on WebGPU follows those of WASM and of the CPU, and learns", async () => {
  // Without dropout and mixup, few steps suffice.
  const changes: Partial<Recipe> = { epochs: 4, learningRate: 3e-3, dropout: 0, mixup: 0 };
  const gpu = await train("webgpu", changes, 14);
  const [first, last] = [gpu.epochs[0]!, gpu.epochs.at(-1)!];
  assertLess(last.trainLoss, first.trainLoss - 0.2);
  for (const name of ["wasm", "cpu"] as const) {
    const { epochs } = await train(name, changes, 14);
    epochs.forEach(({ trainLoss, validation }, i) => {
      assertAlmostEquals(gpu.epochs[i]!.trainLoss, trainLoss, 1e-3, name);
      assertAlmostEquals(gpu.epochs[i]!.validation!.loss, validation!.loss, 1e-3, name);
    });
  }
});

onGpu("a GPU that is lost stops a run with the reason", async () => {
  const backend = await useBackend("webgpu");
  const { device } = tf.backend() as unknown as { device: GPUDevice };
  const model = new Mlp([784, 24, 10], 0);
  const recipe: Recipe = { ...RECIPES.default, hidden: [24], batchSize: 16, epochs: 2 };
  await assertRejects(
    () =>
      fit(model, dataset, {
        recipe,
        seed: 0,
        backend,
        maxSteps: 4,
        listeners: [{
          async onStep({ step }): Promise<void> {
            if (step !== 2) return;
            device.destroy();
            await device.lost;
          },
        }],
      }),
    Error,
    "it was lost",
  );
  assertThrows(() => backend.check(), InputError, "Cannot continue on the GPU");
  forgetDevice();
});

onGpu("an error of the GPU in the middle stops a run with what was reported", async () => {
  const backend = await useBackend("webgpu");
  const { device } = tf.backend() as unknown as { device: GPUDevice };
  const model = new Mlp([784, 24, 10], 0);
  const recipe: Recipe = { ...RECIPES.default, hidden: [24], batchSize: 16, epochs: 2 };
  let epochs = 0;
  await assertRejects(
    () =>
      fit(model, dataset, {
        recipe,
        seed: 0,
        backend,
        maxSteps: 4,
        listeners: [{
          onStep({ step }): void {
            if (step !== 2) return;
            // The specification forbids this usage. Nothing throws here.
            device.createBuffer({ size: 16, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.STORAGE });
          },
          onEpoch(): void {
            epochs++;
          },
        }],
      }),
    Error,
    "it reported:",
  );
  assertEquals(epochs, 0, "the epoch with the error does not count");
  forgetDevice();
});

Deno.test("deno task train falls back where there is no adapter, and says so", async () => {
  const out = await Deno.makeTempDir();
  // The loader of Vulkan finds no driver there; without the first line, Deno would look for OpenGL too.
  const none = {
    DENO_WEBGPU_BACKEND: "vulkan",
    VK_ICD_FILENAMES: "/nonexistent",
    VK_DRIVER_FILES: "/nonexistent",
  };
  const args = ["--dataset", "silhouettes", "--hidden", "8", "--dry-run", "--out", out];
  try {
    const auto = await runTask("train", args, none);
    assertEquals(auto.code, 0, auto.stderr);
    assert(
      /Device: wasm \(no WebGPU adapter was found/.test(auto.stdout + auto.stderr),
      auto.stdout + auto.stderr,
    );
    const forced = await runTask("train", [...args, "--backend", "webgpu"], none);
    assertEquals(forced.code, 69);
    assert(
      forced.stderr.includes("Cannot train on WebGPU as no WebGPU adapter was found"),
      forced.stderr,
    );
  } finally {
    await Deno.remove(out, { recursive: true });
  }
});
