import * as tf from "@tensorflow/tfjs";
import { assertAlmostEquals, assertEquals, assertLess, assertNotEquals } from "@std/assert";
import { Random } from "../../shared/random.ts";
import { drawSilhouettes } from "../../shared/silhouettes/silhouettes.ts";
import { batchNormRelu } from "../../train/backend/gemm/batch_norm.ts";
import { BACKENDS, useBackend } from "../../train/backend/mod.ts";
import { loadDataset } from "../../train/dataset/mod.ts";
import type { Dataset } from "../../train/dataset/types.ts";
import { BatchNorm, EPSILON } from "../../train/learning/batch_norm.ts";
import { batches, range } from "../../train/learning/batches.ts";
import { fit } from "../../train/learning/fit.ts";
import { createMlp, Mlp } from "../../train/learning/mlp.ts";
import { readNumbers, writeNumbers } from "../../train/learning/numbers.ts";
import { type Recipe, RECIPES } from "../../train/learning/recipe.ts";
import { logitsOf } from "../../train/learning/validation.ts";
import { draw, each } from "../helpers/products.ts";

// The expected numbers are PyTorch 2.13's (CPU, float32), from nn.Sequential(Linear(4, 3, bias=False), BatchNorm1d(3),
// ReLU(), Linear(3, 2)) with the weights of `firstWeights` below, cross_entropy, and three steps of SGD at 0.1.
const split = {
  // deno-fmt-ignore
  images: new Uint8Array([0, 51, 102, 255, 255, 153, 204, 0, 30, 60, 0, 90, 200, 10, 120, 250, 5, 250, 77, 33]),
  labels: new Uint8Array([1, 0, 1, 1, 0]),
  count: 5,
};
const dataset: Dataset = {
  ...{ name: "five images", labels: ["a", "b"], channels: 1, height: 1, width: 4 },
  ...{ train: split, test: split, sha256: "", source: "this test" },
};
const losses = [1.025512933731079, 0.8765257000923157, 0.7731353640556335];
// deno-fmt-ignore
const trained: Record<string, number[]> = {
  "linear_relu_stack.0.weight": [0.0574668, 0.3998704, 0.5302646, 0.3114006, 0.2275464, -0.0431591, -0.3409632, -0.5776211, -0.356931, 0.0255892, 0.3061577, 0.4804341],
  "linear_relu_stack.1.weight": [1.4365641, 1.2087386, 0.8015774],
  "linear_relu_stack.1.bias": [-0.5042189, -0.2649362, -0.0038848],
  "linear_relu_stack.3.weight": [0.3835597, 0.4848031, 0.2571225, 0.0579661, -0.2948996, -0.408156],
  "linear_relu_stack.3.bias": [-0.567401, -0.3135858],
};

function firstWeights(): Map<string, Float32Array<ArrayBuffer>> {
  const values = (count: number, start: number, add = 0): Float32Array<ArrayBuffer> =>
    Float32Array.from({ length: count }, (_, i) => Math.sin(start + 0.7 * i) * 0.5 + add);
  return new Map([
    ["linear_relu_stack.0.weight", values(12, 0)],
    ["linear_relu_stack.1.weight", values(3, 2, 1)],
    ["linear_relu_stack.1.bias", values(3, 5)],
    ["linear_relu_stack.3.weight", values(6, 1)],
    ["linear_relu_stack.3.bias", values(2, 11)],
  ]);
}

const plain: Recipe = { ...RECIPES.quickstart, hidden: [3], batchNorm: true, batchSize: 5, epochs: 3 };
const adapter = await navigator.gpu?.requestAdapter();

for (const name of BACKENDS) {
  const ignore = name === "webgpu" && !adapter;
  const reason = ignore
    ? ": no WebGPU adapter; the Debian package mesa-vulkan-drivers has one in software"
    : "";
  Deno.test({
    name: `fit() with batch normalization follows PyTorch's numbers on ${name}${reason}`,
    ignore,
    async fn(): Promise<void> {
      const backend = await useBackend(name);
      const model = new Mlp([4, 3, 2], 0, { batchNorm: true });
      writeNumbers(model.variables, firstWeights());
      const recipe = { ...plain, learningRate: 0.1 };
      const { epochs } = await fit(model, dataset, { recipe, seed: 0, backend });
      epochs.forEach(({ trainLoss }, i) => assertAlmostEquals(trainLoss, losses[i]!, 2e-6));
      const numbers = await readNumbers(model.variables);
      assertEquals([...numbers.keys()], Object.keys(trained));
      for (const [name, values] of numbers) {
        values.forEach((value, i) => assertAlmostEquals(value, trained[name]![i]!, 3e-6, `${name} ${i}`));
      }
      model.dispose();
    },
  });
}

each("batchNormRelu() and its gradients are those of float64", async () => {
  const epsilon = 1e-3;
  for (const [rows, columns] of [[5, 3], [64, 33], [256, 512], [1, 4]] as const) {
    const random = new Random(rows);
    // A mean that is large beside the deviation: the mean of squares minus the squared mean would cancel.
    const x = draw([rows, columns], random).map((value) => value + 30), dy = draw([rows, columns], random);
    const gamma = draw([columns], random), beta = draw([columns], random);
    const expected = reference(x, gamma, beta, dy, epsilon);
    const { value, grads } = tf.tidy(() =>
      tf.valueAndGrads((x, gamma, beta) =>
        batchNormRelu(x as tf.Tensor2D, gamma as tf.Tensor1D, beta as tf.Tensor1D, epsilon)
      )(
        [tf.tensor2d(x, [rows, columns]), tf.tensor1d(gamma), tf.tensor1d(beta)],
        tf.tensor2d(dy, [rows, columns]),
      )
    );
    const found = await Promise.all([value, ...grads].map((tensor) => tensor.data()));
    for (const [i, values] of expected.entries()) {
      const size = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
      values.forEach((value, j) =>
        assertLess(Math.abs(value - found[i]![j]!), 1e-4 * size + 1e-5, `${rows}×${columns}, ${i}, ${j}`)
      );
    }
    tf.dispose([value, ...grads]);
  }
});

/**
 * y, dx, dGamma and dBeta in float64. It sets dy to 0 where the input of the ReLU is so close to 0 that its sign depends
 * on rounding.
 */
function reference(
  x: Float32Array,
  gamma: Float32Array,
  beta: Float32Array,
  dy: Float32Array,
  epsilon: number,
): Float64Array[] {
  const columns = gamma.length, rows = x.length / columns;
  const y = new Float64Array(x.length), dx = new Float64Array(x.length);
  const dGamma = new Float64Array(columns), dBeta = new Float64Array(columns);
  for (let j = 0; j < columns; j++) {
    const column = Float64Array.from({ length: rows }, (_, i) => x[i * columns + j]!);
    const mean = column.reduce((sum, value) => sum + value, 0) / rows;
    const variance = column.reduce((sum, value) => sum + (value - mean) ** 2, 0) / rows;
    const inverse = 1 / Math.sqrt(variance + epsilon);
    const normal = column.map((value) => (value - mean) * inverse);
    const gradient = normal.map((value, i) => {
      const out = value * gamma[j]! + beta[j]!;
      y[i * columns + j] = Math.max(0, out);
      if (Math.abs(out) < 1e-4) dy[i * columns + j] = 0;
      return out > 0 ? dy[i * columns + j]! : 0;
    });
    dBeta[j] = gradient.reduce((sum, value) => sum + value, 0);
    dGamma[j] = gradient.reduce((sum, value, i) => sum + value * normal[i]!, 0);
    gradient.forEach((value, i) => {
      dx[i * columns + j] = gamma[j]! * inverse * (value - (dBeta[j]! + normal[i]! * dGamma[j]!) / rows);
    });
  }
  return [y, dx, dGamma, dBeta];
}

for (const name of ["cpu", "wasm"] as const) {
  Deno.test(`the folded network computes what the normalized one does on ${name}`, async () => {
    const backend = await useBackend(name);
    const train = { ...drawSilhouettes(600, 3), count: 600 };
    const silhouettes: Dataset = { ...await loadDataset("silhouettes"), train, test: train };
    const recipe: Recipe = {
      ...RECIPES.default,
      ...{ hidden: [40, 30], epochs: 3, batchSize: 50, validation: 60, standardize: true },
    };
    const model = createMlp(silhouettes, recipe, 0);
    await fit(model, silhouettes, { recipe, seed: 0, backend });
    const folded = new Mlp(model.sizes, 0);
    folded.load(await model.weights());
    const before = await logitsOf(model, train, silhouettes),
      after = await logitsOf(folded, train, silhouettes);
    before.forEach((value, i) => assertAlmostEquals(after[i]!, value, 1e-5 * Math.max(1, Math.abs(value))));
    model.dispose();
    folded.dispose();
  });
}

Deno.test("measureStatistics() measures the mean and the variance of the features over all batches", async () => {
  await useBackend("cpu");
  const model = new Mlp([784, 8, 6, 10], 0, { batchNorm: true });
  const plain = new Mlp([784, 8], 0);
  plain.load([{ ...(await model.weights())[0]!, bias: new Float32Array(8) }]);
  const train = { ...drawSilhouettes(70, 3), count: 70 };
  const options = { batchSize: 30, classes: 10, width: 28 };
  // Measures twice: the second time starts anew.
  for (let i = 0; i < 2; i++) {
    model.measureStatistics(Array.from(batches(train, range(70), options), ({ images }) => images));
  }
  const numbers = await readNumbers(model.statistics);
  assertEquals(
    [...numbers.keys()],
    [0, 1].flatMap((layer) => [
      `linear_relu_stack.${layer * 3 + 1}.running_mean`,
      `linear_relu_stack.${layer * 3 + 1}.running_var`,
    ]),
  );
  // Each batch of 30, 30 and 10 images has its own mean; the variances within them are averaged by their sizes.
  const moments = Array.from(batches(train, range(70), options), ({ images, count }) => ({
    count,
    ...tf.moments(plain.logits(images), 0),
  }));
  for (const [i, of] of (["mean", "variance"] as const).entries()) {
    const expected = tf.addN(moments.map((moment) => tf.mul(moment[of], moment.count / 70))).dataSync();
    [...numbers.values()][i]!.forEach((value, j) => assertAlmostEquals(value, expected[j]!, 1e-5));
  }
  model.dispose();
  plain.dispose();
});

Deno.test("fit() measures the statistics for inference also without validation images", async () => {
  const backend = await useBackend("cpu");
  for (const ema of [0, 0.9]) {
    const model = new Mlp([4, 3, 2], 0, { batchNorm: true });
    await fit(model, dataset, { recipe: { ...plain, learningRate: 0.1, ema }, seed: 0, backend });
    const [mean, variance] = [...(await readNumbers(model.statistics)).values()];
    for (let i = 0; i < 3; i++) {
      assertNotEquals(mean![i], 0);
      assertNotEquals(variance![i], 1);
    }
    model.dispose();
  }
});

Deno.test("BatchNorm trains its scale and shift, and not its statistics", async () => {
  await useBackend("cpu");
  const norm = new BatchNorm(3);
  assertEquals(
    [norm.weight, norm.bias, norm.mean, norm.variance].map(({ trainable }) => trainable),
    [true, true, false, false],
  );
  // With the initial statistics, inference is a ReLU.
  const y = norm.infer(tf.tensor2d([[-1, 0, 2]]));
  y.dataSync().forEach((value, i) => assertAlmostEquals(value, [0, 0, 2 / Math.sqrt(1 + EPSILON)][i]!, 1e-6));
  norm.dispose();
});
