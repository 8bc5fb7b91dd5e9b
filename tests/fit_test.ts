import { assertAlmostEquals, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { Random } from "../shared/random.ts";
import { BACKENDS, useBackend } from "../train/backend.ts";
import type { Dataset } from "../train/dataset/mod.ts";
import { fit, holdOut, score } from "../train/fit.ts";
import { type LinearWeights, Mlp } from "../train/mlp.ts";
import { learningRateAt, type Recipe, RECIPES } from "../train/recipe.ts";

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
const known = {
  sgd: {
    learningRate: 0.1,
    weightDecay: 0,
    losses: [0.7405275702476501, 0.7263678312301636, 0.7134298086166382],
    // deno-fmt-ignore
    weights: [
      [0.0294016, 0.3334505, 0.5036475, 0.400108, 0.1674941, -0.1753916, -0.4357879, -0.4912263, -0.3156333, -0.0047002, 0.3022791, 0.4285485],
      [0.4124063, 0.4958324, 0.3281907, 0.0291195, -0.3059289, -0.4792241],
    ],
    biases: [[-0.2741056, -0.4783175, -0.5251999], [-0.5053017, -0.3756852]],
  },
  adamw: {
    learningRate: 0.01,
    weightDecay: 0.05,
    losses: [0.7405275702476501, 0.7300236225128174, 0.7206065654754639],
    // deno-fmt-ignore
    weights: [
      [0.0299369, 0.3515882, 0.5219713, 0.4010765, 0.1672429, -0.1751287, -0.4351345, -0.4904898, -0.3151601, -0.0215288, 0.2980776, 0.4634202],
      [0.3912226, 0.495089, 0.3076316, 0.0496413, -0.3054703, -0.4584386],
    ],
    biases: [[-0.2997399, -0.4783175, -0.4896024], [-0.5279226, -0.3530643]],
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

for (const name of BACKENDS) {
  Deno.test(`fit() follows PyTorch's numbers on ${name}`, async (t) => {
    let backend;
    try {
      backend = await useBackend(name);
    } catch (error) {
      if (name !== "webgpu") throw error;
      // deno-lint-ignore no-console
      return console.log(`not run: ${(error as Error).message}; Debian's mesa-vulkan-drivers is enough`);
    }
    for (const optimizer of ["sgd", "adamw"] as const) {
      await t.step(optimizer, async () => {
        const { learningRate, weightDecay, losses, weights, biases } = known[optimizer];
        const model = new Mlp([4, 3, 2], 0);
        model.load(firstWeights());
        const result = await fit(model, dataset, {
          recipe: recipe({ optimizer, learningRate, weightDecay }),
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

Deno.test("fit() stops when it is told to", async () => {
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
  await assertRejects(
    () => fit(model, dataset, { recipe: recipe({ learningRate: 1e39 }), seed: 0, backend }),
    RangeError,
    "--learning-rate",
  );
  model.dispose();
});

Deno.test("fit() keeps the epoch that was best on the held-out images", async () => {
  const backend = await useBackend("cpu");
  const count = 200;
  // The class is whether the first pixel is bright: learnt at once, and forgotten at this learning rate.
  const random = new Random(1);
  const labels = Uint8Array.from({ length: count }, (_, i) => i % 2);
  const images = Uint8Array.from(
    { length: count * 4 },
    (_, i) => i % 4 === 0 ? labels[i / 4]! * 200 + random.below(56) : random.below(256),
  );
  const many: Dataset = { ...dataset, train: { images, labels, count } };
  const model = new Mlp([4, 3, 2], 0);
  const { epochs, bestEpoch } = await fit(model, many, {
    recipe: recipe({ epochs: 6, batchSize: 16, learningRate: 5, validation: 60, shuffle: true }),
    seed: 3,
    backend,
  });
  const best = Math.max(...epochs.map(({ validation }) => validation!.accuracy));
  assertEquals(epochs[bestEpoch - 1]!.validation!.accuracy, best);
  const { held } = holdOut(count, 60, 3);
  assertEquals((await score(model, many.train, many, held)).accuracy, best);
  model.dispose();
});

Deno.test("fit() holds out the data set's own validation images, and learns from none of them", async () => {
  const backend = await useBackend("cpu");
  const losses: number[] = [];
  // The last image changes what is measured, and not what is learnt.
  for (const last of [[255, 153, 204, 0], [0, 0, 255, 255]]) {
    const images = Uint8Array.from([...split.images.subarray(0, 4), ...last]);
    const own: Dataset = { ...dataset, train: { ...split, images }, validation: 1 };
    const model = new Mlp([4, 3, 2], 0);
    const { epochs, bestEpoch } = await fit(model, own, {
      recipe: recipe({ validation: 1 }),
      seed: 0,
      backend,
    });
    const { validation } = epochs[bestEpoch - 1]!;
    assertEquals((await score(model, own.train, own, Uint32Array.of(1))).loss, validation!.loss);
    losses.push(epochs.at(-1)!.trainLoss, validation!.loss);
    model.dispose();
  }
  assertEquals(losses[0], losses[2]);
  assertNotEquals(losses[1], losses[3]);
});

Deno.test("holdOut() splits without overlap, the same way for the same seed", () => {
  const { train, held } = holdOut(1000, 100, 7);
  assertEquals([train.length, held.length], [900, 100]);
  assertEquals(new Set([...train, ...held]).size, 1000);
  assertEquals(holdOut(1000, 100, 7).held, held);
});

Deno.test("learningRateAt() falls along half a cosine", () => {
  const cosine: Recipe = { ...RECIPES.default, learningRate: 0.5, schedule: "cosine" };
  assertEquals(learningRateAt(cosine, 0), 0.5);
  assertAlmostEquals(learningRateAt(cosine, 0.5), 0.25);
  assertAlmostEquals(learningRateAt(cosine, 1), 0);
  assertEquals(learningRateAt({ ...cosine, schedule: "constant" }, 0.9), 0.5);
});
