import { assertEquals, assertNotEquals, assertRejects, assertThrows } from "@std/assert";
import * as tf from "@tensorflow/tfjs";
import { InputError } from "../../shared/errors.ts";
import { describeModel } from "../../shared/contract.ts";
import { FAMILIARITY_PREFIX } from "../../train/familiarity/graph.ts";
import { readOnnx } from "../../shared/onnx/read.ts";
import { train } from "../../train/artifact/run.ts";
import { useBackend } from "../../train/backend/mod.ts";
import { createDataset } from "../../train/dataset/create.ts";
import type { Dataset } from "../../train/dataset/mod.ts";
import type { TrainingState } from "../../train/learning/events.ts";
import { fit } from "../../train/learning/fit.ts";
import { Mlp } from "../../train/learning/mlp.ts";
import { type Recipe, RECIPES } from "../../train/learning/recipe.ts";

/** Images of 2×2 pixels; the class says whether the first pixel is bright. */
function split(count: number): Dataset["train"] {
  const labels = Uint8Array.from({ length: count }, (_, i) => i % 2);
  const images = Uint8Array.from(
    { length: count * 4 },
    (_, i) => i % 4 === 0 ? labels[i / 4]! * 255 : i * 7 % 256,
  );
  return { images, labels, count };
}
const dataset: Dataset = {
  name: "corners",
  labels: ["dark", "bright"],
  channels: 1,
  height: 2,
  width: 2,
  train: split(40),
  test: split(10),
  sha256: "0".repeat(64),
  source: "this test",
};
const recipe: Recipe = { ...RECIPES.quickstart, hidden: [3], batchSize: 10, epochs: 2, learningRate: 0.5 };
const backend = await useBackend("cpu");

Deno.test("train() returns a measured ONNX file of the network that the recipe describes", async () => {
  const before = tf.memory().numTensors;
  const { artifact, epochs } = await train({ dataset, recipe: { ...recipe, epochs: 30 }, seed: 4, backend });
  assertEquals(tf.memory().numTensors, before, "nothing is left on the device");
  assertEquals(epochs.length, 30);
  const { name, labels, input, provenance, metrics } = await describeModel(artifact.bytes);
  assertEquals([name, labels, input], ["corners", ["dark", "bright"], { channels: 1, height: 2, width: 2 }]);
  assertEquals([provenance.seed, provenance.recipe!["hidden"]], [4, [3]]);
  assertEquals(metrics, artifact.metrics);
  assertEquals(metrics!.test, { images: 10, accuracy: 1, loss: artifact.evaluation.loss });
  const weights = readOnnx(artifact.bytes).initializers.filter(({ name }) =>
    !name.startsWith(FAMILIARITY_PREFIX)
  );
  assertEquals(weights.map(({ dims }) => dims), [[3, 4], [3], [2, 3], [2]]);
});

Deno.test("train() has a best epoch only if there are validation images", async () => {
  assertEquals((await train({ dataset, recipe, backend })).bestEpoch, undefined);
  const { bestEpoch, artifact } = await train({ dataset, recipe: { ...recipe, validation: 10 }, backend });
  assertEquals([typeof bestEpoch, artifact.metrics.validation!.images], ["number", 10]);
});

Deno.test("train() makes the temperature part of the file, which ONNX Runtime can load", async () => {
  // Every fifth label is wrong, so that the fitted temperature is not 1.
  const labels = dataset.train.labels.map((label, i) => i % 5 === 0 ? 1 - label : label);
  const noisy = { ...dataset, train: { ...dataset.train, labels } };
  const { artifact } = await train({
    dataset: noisy,
    recipe: { ...recipe, epochs: 20, validation: 10 },
    backend,
  });
  const { temperature } = artifact.calibration;
  assertNotEquals(temperature, 1);
  const tensor = readOnnx(artifact.bytes).initializers.find(({ name }) => name === "temperature")!;
  assertEquals(tensor.data, new Float32Array([temperature]));
  await artifact.verify(artifact.bytes);
});

Deno.test("train() calls its listeners in order, and waits for them", async () => {
  const calls: string[] = [];
  await train({
    dataset,
    recipe,
    backend,
    listeners: [{
      onStart: ({ model, epochsDone }) => void calls.push(`start ${model.sizes.join("-")} ${epochsDone}`),
      async onStep({ epoch, step, totalSteps, images, imagesPerEpoch, readLoss }): Promise<void> {
        calls.push("step begins");
        const loss = await readLoss();
        calls.push(`step ${epoch} ${step} ${totalSteps} ${images}/${imagesPerEpoch} ${loss > 0}`);
      },
      onCheckpoint: ({ steps }) => void calls.push(`checkpoint ${steps}`),
      onEpoch: ({ epoch }) => void calls.push(`epoch ${epoch}`),
    }, {
      onEpoch: ({ epoch }) => void calls.push(`second listener ${epoch}`),
    }],
    maxSteps: 2,
  });
  assertEquals(calls, [
    "start 4-3-2 0",
    ...[
      "step begins",
      "step 1 1 1 10/40 true",
      "step begins",
      "step 1 2 2 20/40 true",
      "checkpoint 2",
      "epoch 1",
      "second listener 1",
    ],
    ...[
      "step begins",
      "step 2 1 3 10/40 true",
      "step begins",
      "step 2 2 4 20/40 true",
      "checkpoint 4",
      "epoch 2",
      "second listener 2",
    ],
  ]);
});

Deno.test("train() stops with the error of a listener, and frees the device's memory", async () => {
  const before = tf.memory().numTensors;
  const onEpoch = (): void => {
    throw new TypeError("from the listener");
  };
  await assertRejects(
    () => train({ dataset, recipe, backend, listeners: [{ onEpoch }] }),
    TypeError,
    "from the listener",
  );
  assertEquals(tf.memory().numTensors, before);
});

Deno.test("train() stops in the middle of an epoch, and frees the device's memory", async () => {
  const before = tf.memory().numTensors;
  const stop = new AbortController();
  let steps = 0;
  const onStep = (): void => {
    if (++steps === 2) stop.abort();
  };
  await assertRejects(
    () => train({ dataset, recipe, backend, listeners: [{ onStep }], signal: stop.signal }),
    DOMException,
  );
  assertEquals(steps, 2);
  assertEquals(tf.memory().numTensors, before);
});

Deno.test("train() resumes from a state to the same bytes", async () => {
  const options = {
    dataset,
    recipe: { ...recipe, optimizer: "adamw", ema: 0.9, dropout: 0.2, validation: 8 } as const,
    seed: 1,
    backend,
  };
  const states: TrainingState[] = [];
  const listeners = [{ onCheckpoint: (state: TrainingState) => void states.push(state) }];
  const whole = await train({ ...options, listeners });
  const resumed = await train({ ...options, state: states[0]! });
  assertEquals(resumed.epochs.length, 2);
  assertEquals(resumed.artifact.bytes, whole.artifact.bytes);
  const other = await train({ ...options, seed: 2 });
  assertNotEquals(other.artifact.bytes, whole.artifact.bytes);
  await assertRejects(
    () => train({ ...options, recipe: { ...options.recipe, hidden: [2] }, state: states[0]! }),
    InputError,
    'Cannot restore "linear_relu_stack.0.weight" as it must have 8 numbers: current count is 12',
  );
});

Deno.test("train() rejects a recipe with a value out of range, or one that does not fit the data set", async (t) => {
  const cases: [Partial<Recipe>, string][] = [
    [{ epochs: 0 }, "epochs must be a whole number of at least 1: current value is 0"],
    [{ batchSize: 1.5 }, "batchSize must be a whole number of at least 1: current value is 1.5"],
    [{ learningRate: 0 }, "learningRate must be a number above 0: current value is 0"],
    [{ learningRate: NaN }, "learningRate must be a number above 0: current value is NaN"],
    [{ learningRate: Infinity }, "learningRate must be a number above 0: current value is Infinity"],
    [{ hidden: [3, 0] }, "hidden[1] must be a whole number of at least 1: current value is 0"],
    [{ dropout: 1 }, "dropout must be a number of at least 0 and below 1: current value is 1"],
    [{ mixup: 2 }, "mixup must be a number of at least 0 and at most 1: current value is 2"],
    [{ validation: 40 }, "validation must be a whole number of at least 0 and below 40: current value is 40"],
  ];
  for (const [changes, message] of cases) {
    await t.step(message, async () => {
      await assertRejects(
        () => train({ dataset, recipe: { ...recipe, ...changes }, backend }),
        InputError,
        message,
      );
    });
  }
});

Deno.test("train() rejects a data set whose arrays do not fit together", async (t) => {
  const cases: [string, Partial<Dataset>, string][] = [
    ["images", { width: 3 }, "training images must be 40 × 1 × 2 × 3 bytes: current value is 160"],
    [
      "count",
      { test: { ...dataset.test, count: 9 } },
      "test images must be 9 × 1 × 2 × 2 bytes: current value is 40",
    ],
    [
      "labels",
      { test: { ...dataset.test, labels: new Uint8Array(9) } },
      "test labels must be 10: current value is 9",
    ],
    ["empty split", { test: split(0) }, "it must have test images: current value is 0"],
    ["size", { height: 0 }, "height must be a positive integer: current value is 0"],
    ["classes", { labels: ["dark"] }, "at least 2 classes: current value is 1"],
    [
      "class",
      { train: { ...dataset.train, labels: new Uint8Array(40).fill(2) } },
      "training labels must be below 2, the number of classes: current value is 2",
    ],
    ["validation", { validation: 40 }, "validation images must be fewer than its 40 training images"],
  ];
  for (const [title, changes, message] of cases) {
    await t.step(title, async () => {
      await assertRejects(
        () => train({ dataset: { ...dataset, ...changes }, recipe, backend }),
        InputError,
        message,
      );
    });
  }
});

Deno.test("createDataset() makes a data set that trains, and rejects arrays that do not fit together", async () => {
  const { name, labels, channels, height, width, train: training, test } = dataset;
  const source = { name, labels, channels, height, width, train: training, test };
  const created = createDataset(source);
  assertEquals([created.train.count, created.test.count], [40, 10]);
  const { artifact } = await train({ dataset: created, recipe, backend });
  assertEquals(artifact.info.provenance.dataset, { name, sha256: created.sha256 });
  assertNotEquals(created.sha256, createDataset({ ...source, test: training }).sha256);
  assertThrows(
    () => createDataset({ ...source, width: 3 }),
    InputError,
    "Cannot use the data set as its training images must be 40 × 1 × 2 × 3 bytes: current value is 160",
  );
});

Deno.test("fit() rejects a model of other sizes than those of the recipe and the data set", async () => {
  const model = new Mlp([4, 5, 2], 0);
  await assertRejects(
    () => fit(model, dataset, { recipe, seed: 0, backend }),
    InputError,
    "must be 4-3-2, as the data set and the recipe say: current layers are 4-5-2",
  );
  model.dispose();
});
