import * as tf from "@tensorflow/tfjs";
import {
  assertAlmostEquals,
  assertEquals,
  assertLess,
  assertNotEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { InputError } from "../../shared/errors.ts";
import { Random } from "../../shared/random.ts";
import { BACKENDS, useBackend } from "../../train/backend/mod.ts";
import type { Dataset } from "../../train/dataset/mod.ts";
import { fit } from "../../train/learning/fit.ts";
import { type LinearWeights, Mlp } from "../../train/learning/mlp.ts";
import { learningRateAt, OPTIMIZERS, type Recipe, RECIPES } from "../../train/learning/recipe.ts";
import { sampleValidation } from "../../train/learning/split.ts";
import { score } from "../../train/learning/validation.ts";

// A 4-3-2 network, two images, three steps. The expected numbers are PyTorch 2.13's (CPU, float32), from
// nn.Sequential(Linear(4, 3), ReLU(), Linear(3, 2)) with the weights of `firstWeights` below,
// x = [[0, 51, 102, 255], [255, 153, 204, 0]] / 255, y = [1, 0], cross_entropy, and three optimizer steps.
const split = {
  images: new Uint8Array([0, 51, 102, 255, 255, 153, 204, 0]),
  labels: new Uint8Array([1, 0]),
  count: 2,
};
const dataset: Dataset = {
  name: "two images",
  labels: ["a", "b"],
  channels: 1,
  height: 1,
  width: 4,
  train: split,
  test: split,
  sha256: "",
  source: "this test",
};
const sgd = { optimizer: "sgd", learningRate: 0.1 } as const;
const known: Record<
  string,
  { recipe: Partial<Recipe>; losses: number[]; weights: number[][]; biases: number[][] }
> = {
  "SGD": {
    recipe: sgd,
    losses: [0.7405275702476501, 0.7263678312301636, 0.7134298086166382],
    // deno-fmt-ignore
    weights: [
      [0.0294016, 0.3334505, 0.5036475, 0.400108, 0.1674941, -0.1753916, -0.4357879, -0.4912263, -0.3156333, -0.0047002, 0.3022791, 0.4285485],
      [0.4124063, 0.4958324, 0.3281907, 0.0291195, -0.3059289, -0.4792241],
    ],
    biases: [[-0.2741056, -0.4783175, -0.5251999], [-0.5053017, -0.3756852]],
  },
  "AdamW": {
    recipe: { optimizer: "adamw", learningRate: 0.01, weightDecay: 0.05 },
    losses: [0.7405275702476501, 0.7300236225128174, 0.7206065654754639],
    // deno-fmt-ignore
    weights: [
      [0.0299369, 0.3515882, 0.5219713, 0.4010765, 0.1672429, -0.1751287, -0.4351345, -0.4904898, -0.3151601, -0.0215288, 0.2980776, 0.4634202],
      [0.3912226, 0.495089, 0.3076316, 0.0496413, -0.3054703, -0.4584386],
    ],
    biases: [[-0.2997399, -0.4783175, -0.4896024], [-0.5279226, -0.3530643]],
  },
  "SGD with momentum": {
    recipe: { optimizer: "momentum", learningRate: 0.1 },
    losses: [0.7405275702476501, 0.7263678312301636, 0.7018051147460938],
    // deno-fmt-ignore
    weights: [
      [0.0550924, 0.343319, 0.5131083, 0.3723783, 0.1674941, -0.1753916, -0.4357879, -0.4912263, -0.3156333, -0.0162156, 0.2792482, 0.3709715],
      [0.4044576, 0.4958324, 0.3187129, 0.0370682, -0.3059289, -0.4697464],
    ],
    biases: [[-0.2761446, -0.4783175, -0.5827769], [-0.5104175, -0.3705693]],
  },
  "Adam": {
    recipe: { optimizer: "adam", learningRate: 0.01 },
    losses: [0.7405275702476501, 0.7301185131072998, 0.7207720279693604],
    // deno-fmt-ignore
    weights: [
      [0.0299525, 0.3520865, 0.5227252, 0.4017073, 0.1674941, -0.1753916, -0.4357879, -0.4912263, -0.3156333, -0.0215323, 0.2985541, 0.4641449],
      [0.3918288, 0.4958324, 0.3081156, 0.049697, -0.3059289, -0.4591491],
    ],
    biases: [[-0.2997814, -0.4783175, -0.4896035], [-0.5279629, -0.3530239]],
  },
  // After clip_grad_norm_(parameters, 0.1).
  "clipped gradients": {
    recipe: { ...sgd, clip: 0.1 },
    losses: [0.7405275702476501, 0.7367427349090576, 0.7330048084259033],
    // deno-fmt-ignore
    weights: [
      [0.0079096, 0.3251299, 0.4956031, 0.4229811, 0.1674941, -0.1753916, -0.4357879, -0.4912263, -0.3156333, 0.004836, 0.3213514, 0.4762295],
      [0.4180106, 0.4958324, 0.334387, 0.0235153, -0.3059289, -0.4854205],
    ],
    biases: [[-0.2727246, -0.4783175, -0.4775189], [-0.5017886, -0.3791984]],
  },
  "smoothed labels": {
    recipe: { ...sgd, labelSmoothing: 0.2 },
    losses: [0.7314925789833069, 0.7220086455345154, 0.7133097648620605],
    // deno-fmt-ignore
    weights: [
      [0.0235704, 0.3310959, 0.5012708, 0.4058286, 0.1674941, -0.1753916, -0.4357879, -0.4912263, -0.3156333, -0.0023134, 0.3070526, 0.4404823],
      [0.4132424, 0.4958324, 0.3293626, 0.0282834, -0.3059289, -0.4803961],
    ],
    biases: [[-0.2742162, -0.4783175, -0.5132661], [-0.5055755, -0.3754114]],
  },
};

function firstWeights(): LinearWeights[] {
  const values = (count: number, start: number): Float32Array<ArrayBuffer> =>
    Float32Array.from({ length: count }, (_, i) => Math.sin(start + 0.7 * i) * 0.5);
  return [
    { inFeatures: 4, outFeatures: 3, weight: values(12, 0), bias: values(3, 10) },
    { inFeatures: 3, outFeatures: 2, weight: values(6, 1), bias: values(2, 11) },
  ];
}

function recipe(changes: Partial<Recipe>): Recipe {
  return { ...RECIPES.quickstart, hidden: [3], batchSize: 2, epochs: 3, ...changes };
}

const adapter = await navigator.gpu?.requestAdapter();

for (const name of BACKENDS) {
  const ignore = name === "webgpu" && !adapter;
  const reason = ignore
    ? ": no WebGPU adapter; the Debian package mesa-vulkan-drivers has one in software"
    : "";
  Deno.test({ name: `fit() follows PyTorch's numbers on ${name}${reason}`, ignore }, async (t) => {
    const backend = await useBackend(name);
    for (const [what, { recipe: changes, losses, weights, biases }] of Object.entries(known)) {
      await t.step(what, async () => {
        const model = new Mlp([4, 3, 2], 0);
        model.load(firstWeights());
        const result = await fit(model, dataset, {
          recipe: recipe(changes),
          seed: 0,
          backend,
        });
        result.epochs.forEach(({ trainLoss }, i) => assertAlmostEquals(trainLoss, losses[i]!, 2e-6));
        (await model.weights()).forEach(({ weight, bias }, i) => {
          weight.forEach((value, j) => assertAlmostEquals(value, weights[i]![j]!, 3e-6));
          bias.forEach((value, j) => assertAlmostEquals(value, biases[i]![j]!, 3e-6));
        });
        model.dispose();
      });
    }
  });
}

Deno.test("score() counts hits and averages the loss", async () => {
  await useBackend("cpu");
  const model = new Mlp([4, 3, 2], 0);
  model.load(firstWeights());
  const { accuracy, loss } = await score(model, split, dataset);
  // PyTorch's logits are [[-0.266, -0.454], [-0.367, -0.374]], so both are called "a"; the second one is.
  assertEquals(accuracy, 0.5);
  assertAlmostEquals(loss, 0.7405275702476501, 2e-6);
  model.dispose();
});

Deno.test("fit() stops when its signal is aborted", async () => {
  const backend = await useBackend("cpu");
  const model = new Mlp([4, 3, 2], 0);
  const signal = AbortSignal.abort();
  await assertRejects(
    () => fit(model, dataset, { recipe: recipe({}), seed: 0, backend, signal }),
    DOMException,
  );
  model.dispose();
});

Deno.test("fit() stops when the loss is no longer a number", async () => {
  const backend = await useBackend("cpu");
  const model = new Mlp([4, 3, 2], 0);
  const error = await assertRejects(
    () => fit(model, dataset, { recipe: recipe({ learningRate: 1e39 }), seed: 0, backend }),
    InputError,
    "current value is NaN",
  );
  assertStringIncludes(error.hint!, "--learning-rate");
  model.dispose();
});

Deno.test("fit() ends with the best epoch's weights, or with the last one's after a cosine", async () => {
  const backend = await useBackend("cpu");
  const count = 200;
  // The class depends on the first pixel only: at this learning rate the accuracy rises and falls.
  const random = new Random(1);
  const labels = Uint8Array.from({ length: count }, (_, i) => i % 2);
  const images = Uint8Array.from(
    { length: count * 4 },
    (_, i) => i % 4 === 0 ? labels[i / 4]! * 100 + random.below(156) : random.below(256),
  );
  const many: Dataset = { ...dataset, train: { images, labels, count } };
  const { validationIndices } = sampleValidation(labels, 2, 60, 4);
  for (const [schedule, earlyStopping] of [["constant", 0], ["cosine", 0], ["cosine", 10]] as const) {
    const model = new Mlp([4, 3, 2], 0);
    const { epochs, bestEpoch } = await fit(model, many, {
      recipe: recipe({
        ...{ epochs: 8, batchSize: 16, learningRate: 1, validation: 60, shuffle: true },
        ...{ schedule, earlyStopping },
      }),
      seed: 4,
      backend,
    });
    const accuracies = epochs.map(({ validation }) => validation!.accuracy);
    const best = accuracies.indexOf(Math.max(...accuracies)) + 1;
    assertLess(best, 8);
    assertEquals(bestEpoch, schedule === "cosine" && earlyStopping === 0 ? 8 : best);
    assertEquals(await score(model, many.train, many, validationIndices), epochs[bestEpoch! - 1]!.validation);
    model.dispose();
  }
});

Deno.test("fit() uses the data set's own validation images, and does not train on them", async () => {
  const backend = await useBackend("cpu");
  const losses: number[] = [];
  // The last image changes the validation loss, and not the training loss.
  for (const last of [[255, 153, 204, 0], [0, 0, 255, 255]]) {
    const images = Uint8Array.from([...split.images.subarray(0, 4), ...last]);
    const own: Dataset = { ...dataset, train: { ...split, images }, validation: 1 };
    const model = new Mlp([4, 3, 2], 0);
    const { epochs, bestEpoch } = await fit(model, own, {
      recipe: recipe({ validation: 1 }),
      seed: 0,
      backend,
    });
    const { validation } = epochs[bestEpoch! - 1]!;
    assertEquals((await score(model, own.train, own, Uint32Array.of(1))).loss, validation!.loss);
    losses.push(epochs.at(-1)!.trainLoss, validation!.loss);
    model.dispose();
  }
  assertEquals(losses[0], losses[2]);
  assertNotEquals(losses[1], losses[3]);
});

Deno.test("fit() takes the same steps with every optimizer, with and without the kernel of the project", async (t) => {
  for (const optimizer of OPTIMIZERS) {
    await t.step(optimizer, async () => {
      const found: number[][] = [];
      for (const name of ["cpu", "wasm"] as const) {
        const backend = await useBackend(name, "relaxed");
        const model = new Mlp([4, 3, 2], 0);
        const changes = { optimizer, learningRate: 0.01, weightDecay: 0.5, clip: 0.2, ema: 0.5 };
        await fit(model, dataset, { recipe: recipe(changes), seed: 0, backend });
        found.push((await model.weights()).flatMap(({ weight, bias }) => [...weight, ...bias]));
        model.dispose();
      }
      found[0]!.forEach((value, i) => assertAlmostEquals(value, found[1]![i]!, 1e-6));
    });
  }
});

Deno.test("fit() ends with the moving average of the weights", async () => {
  const backend = await useBackend("cpu");
  const changes = { ...sgd, epochs: 1, validation: 0 };
  const steps: Float32Array[] = [];
  for (const epochs of [1, 2]) {
    const model = new Mlp([4, 3, 2], 0);
    model.load(firstWeights());
    await fit(model, dataset, { recipe: recipe({ ...changes, epochs }), seed: 0, backend });
    steps.push((await model.weights())[0]!.weight);
    model.dispose();
  }
  const model = new Mlp([4, 3, 2], 0);
  model.load(firstWeights());
  await fit(model, dataset, { recipe: recipe({ ...changes, epochs: 2, ema: 0.999 }), seed: 0, backend });
  const [{ weight }] = await model.weights() as [LinearWeights, LinearWeights];
  // The decay of the first steps is smaller than 0.999: a = w·(1 − d) + a·d with d = 1/11, and then 2/12.
  const [{ weight: first }] = firstWeights() as [LinearWeights, LinearWeights];
  weight.forEach((value, i) => {
    const after1 = first[i]! / 11 + steps[0]![i]! * 10 / 11;
    assertAlmostEquals(value, after1 / 6 + steps[1]![i]! * 5 / 6, 1e-6);
  });
  model.dispose();
});

Deno.test("fit() stops early if the validation accuracy does not improve", async () => {
  const backend = await useBackend("cpu");
  const many: Dataset = { ...dataset, train: { ...split, labels: new Uint8Array([1, 0]) }, validation: 1 };
  const model = new Mlp([4, 3, 2], 0);
  // The weights hardly change, so the first epoch stays the best.
  const changes = { learningRate: 1e-9, epochs: 50, earlyStopping: 4 };
  const { epochs, bestEpoch } = await fit(model, many, { recipe: recipe(changes), seed: 0, backend });
  assertEquals([epochs.length, bestEpoch], [5, 1]);
  model.dispose();
});

Deno.test("fit() averages the losses of all steps of an epoch, whatever their number", async () => {
  const backend = await useBackend("cpu");
  // Losses are read 50 at a time.
  for (const count of [49, 50, 51]) {
    const images = new Uint8Array(count * 4), labels = new Uint8Array(count);
    const model = new Mlp([4, 3, 2], 0);
    const losses: number[] = [];
    const { epochs } = await fit(model, { ...dataset, train: { images, labels, count } }, {
      recipe: recipe({ batchSize: 1, epochs: 1 }),
      seed: 0,
      backend,
      listeners: [{ onStep: async ({ readLoss }) => void losses.push(await readLoss()) }],
    });
    assertEquals(losses.length, count);
    assertAlmostEquals(epochs[0]!.trainLoss, losses.reduce((sum, loss) => sum + loss) / count, 1e-9);
    model.dispose();
  }
});

Deno.test("fit() stops if the loss explodes, and names the batch", async () => {
  const backend = await useBackend("cpu");
  const model = new Mlp([4, 3, 2], 0);
  const changes = { learningRate: 1e5, batchSize: 1 };
  await assertRejects(
    () => fit(model, dataset, { recipe: recipe(changes), seed: 0, backend }),
    InputError,
    "epoch 1, batch 2",
  );
  model.dispose();
});

Deno.test("fit() disposes of all its tensors", async () => {
  for (const name of ["cpu", "wasm"] as const) {
    const backend = await useBackend(name);
    const before = tf.memory().numTensors;
    const model = new Mlp([4, 3, 2], 0);
    const changes = { optimizer: "adamw", ema: 0.9, clip: 1, dropout: 0.5, mixup: 0.4, shift: 1 } as const;
    await fit(model, { ...dataset, validation: 1 }, { recipe: recipe(changes), seed: 0, backend });
    model.dispose();
    assertEquals(tf.memory().numTensors, before, name);
  }
});

Deno.test("sampleValidation() splits without overlap, stratified, and the same way for the same seed", () => {
  const labels = Uint8Array.from({ length: 1000 }, (_, i) => i < 950 ? 0 : 1);
  const { trainIndices, validationIndices } = sampleValidation(labels, 2, 100, 7);
  assertEquals([trainIndices.length, validationIndices.length], [900, 100]);
  assertEquals(new Set([...trainIndices, ...validationIndices]).size, 1000);
  assertEquals(validationIndices.filter((index) => labels[index] === 1).length, 5);
  assertEquals(sampleValidation(labels, 2, 100, 7).validationIndices, validationIndices);
  assertNotEquals(sampleValidation(labels, 2, 100, 8).validationIndices, validationIndices);
});

Deno.test("learningRateAt() warms up, and then follows its schedule", () => {
  const at = (schedule: Recipe["schedule"], warmup: number): number[] =>
    Array.from(
      { length: 10 },
      (_, step) => learningRateAt({ schedule, warmup, learningRate: 0.5, epochs: 5 }, step, 2),
    );
  assertEquals(at("constant", 0), Array(10).fill(0.5));
  assertEquals(at("constant", 2), [0.125, 0.25, 0.375, ...Array(7).fill(0.5)]);
  assertEquals(at("step", 1), [0.25, 0.5, 0.5, 0.5, 0.5, 0.5, 0.05, 0.05, 0.005, 0.005]);
  const cosine = at("cosine", 0);
  assertEquals(cosine[0], 0.5);
  assertAlmostEquals(cosine[5]!, 0.25);
  assertAlmostEquals(cosine[2]! + cosine[8]!, 0.5);
  assertLess(cosine[9]!, 0.02);
});
