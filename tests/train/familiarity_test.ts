import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertGreater,
  assertLess,
  assertThrows,
} from "@std/assert";
import { describeModel, FAMILIARITY } from "../../shared/contract.ts";
import { Classifier } from "../../shared/inference/classifier.ts";
import { readOnnx } from "../../shared/onnx/read.ts";
import { Random } from "../../shared/random.ts";
import { silhouettes } from "../../shared/silhouettes/silhouettes.ts";
import { train, type TrainOptions, type TrainResult } from "../../train/artifact/run.ts";
import { useBackend } from "../../train/backend/mod.ts";
import { createDataset } from "../../train/dataset/create.ts";
import type { Dataset } from "../../train/dataset/mod.ts";
import { loadSilhouettes } from "../../train/dataset/silhouettes.ts";
import { auroc, keptShare, referenceOf, scoreKept } from "../../train/evaluation/familiarity.ts";
import { type Directions, distances, fitDirections } from "../../train/familiarity/directions.ts";
import { cholesky, invertLower, orthonormalize, transpose } from "../../train/familiarity/linear_algebra.ts";
import { drawOutliers, type Family } from "../../train/familiarity/outliers.ts";
import { familiarities, quantileTable } from "../../train/familiarity/quantiles.ts";
import { RECIPES } from "../../train/learning/recipe.ts";

/** `[rows, n] · [n, columns]` */
function product(a: Float64Array, b: Float64Array, n: number): number[][] {
  const rows = a.length / n, columns = b.length / n;
  return Array.from({ length: rows }, (_, i) =>
    Array.from({ length: columns }, (_, j) => {
      let sum = 0;
      for (let m = 0; m < n; m++) sum += a[i * n + m]! * b[m * columns + j]!;
      return sum;
    }));
}

function assertIdentity(matrix: number[][]): void {
  for (const [i, row] of matrix.entries()) {
    for (const [j, value] of row.entries()) assertAlmostEquals(value, i === j ? 1 : 0, 1e-12);
  }
}

Deno.test("cholesky() and invertLower() whiten: W·Σ·Wᵀ is the identity", () => {
  const n = 7, random = new Random(1);
  const root = Float64Array.from({ length: n * n }, () => random.uniform(-1, 1));
  const sigma = Float64Array.from(product(root, transpose(root, n, n), n).flat());
  const w = invertLower(cholesky(sigma, n), n);
  const half = Float64Array.from(product(w, sigma, n).flat());
  assertIdentity(product(half, transpose(w, n, n), n));
});

Deno.test("cholesky() rejects a matrix that is not positive definite", () => {
  assertThrows(() => cholesky(new Float64Array([1, 2, 2, 1]), 2), RangeError, "pivot 1 of 2 is -3");
});

Deno.test("orthonormalize() makes rows orthonormal, and leaves rows of zeros", () => {
  const n = 9, k = 4, random = new Random(2);
  const rows = Float64Array.from({ length: k * n }, () => random.uniform(-1, 1));
  orthonormalize(rows, k, n);
  assertIdentity(product(rows, transpose(rows, k, n), n));
  const zeros = new Float64Array(2 * n);
  orthonormalize(zeros, 2, n);
  assertEquals(zeros, new Float64Array(2 * n));
});

Deno.test("a quantile table falls from 1 to 0, and keeps the share that was asked for", () => {
  const random = new Random(3);
  for (const count of [1, 2, 10, 96, 100, 5000]) {
    for (const kept of [0.5, 0.9, 0.95, 0.99]) {
      const values = Float64Array.from({ length: count }, () => -Math.log(1 - random.uniform()));
      const table = quantileTable(values, kept);
      const largest = Math.max(...values);
      const grid = Float64Array.from({ length: 2000 }, (_, i) => i / 1000 * largest);
      const shares = familiarities(table, grid);
      for (let i = 1; i < shares.length; i++) assert(shares[i]! <= shares[i - 1]! + 1e-6, "it never rises");
      assertEquals(familiarities(table, Float64Array.of(1.6 * largest, 1e30)), Float64Array.of(0, 0));
      assert(shares[0]! <= 1 && shares[0]! >= 1 - 0.5 / count - 1e-5);
      const share = keptShare(familiarities(table, values), 1 - kept);
      assert(Math.abs(share - kept) <= 0.5 / count + 1e-9, `${share} of ${count} kept instead of ${kept}`);
    }
  }
});

Deno.test("a quantile table of equal distances is a step", () => {
  const table = quantileTable(new Float64Array(100).fill(2), 0.95);
  assert([...table.knots, ...table.slopes].every(Number.isFinite));
  const [near, far] = familiarities(table, Float64Array.of(1, 3.1));
  assertAlmostEquals(near!, 0.005, 1e-5);
  assertEquals(far, 0);
});

Deno.test("fitDirections() finds the direction in which outliers stand out, against the scale of the features", async () => {
  await useBackend("wasm");
  const random = new Random(4), size = 5;
  const normal = (): number => [1, 2, 3, 4].reduce((sum) => sum + random.uniform(-1, 1), 0);
  // The first feature varies most; outliers differ in the last, which varies least.
  const deviations = [3, 2, 1, 1, 0.3];
  const rows = (count: number, by: number, feature = 4) => ({
    size,
    values: Float32Array.from(
      { length: count * size },
      (_, i) => deviations[i % size]! * normal() + 5 + (i % size === feature ? by : 0),
    ),
  });
  const training = rows(2000, 0);
  /** The feature that the direction is along. */
  const axisOf = ({ directions }: Directions): number => {
    const strength = [...directions].map((value, i) => Math.abs(value) * deviations[i]!);
    return strength.indexOf(Math.max(...strength));
  };
  const fitted = await fitDirections(training, [rows(200, 2), rows(200, -3)], 1, 0);
  assertEquals(axisOf(fitted), 4);
  const familiar = distances(fitted, rows(500, 0)), outliers = distances(fitted, rows(500, 2));
  assertGreater(auroc(outliers, familiar), 0.999);

  const large = await fitDirections(training, [rows(2000, 10, 2), rows(50, 3), rows(50, 3)], 1, 0);
  assertEquals(axisOf(large), 4, "a family counts as much as another one, however many images it has");
  const extreme = rows(200, 3);
  extreme.values[0] = 1e5;
  assertEquals(
    axisOf(await fitDirections(training, [extreme], 1, 0)),
    4,
    "an image counts as much as another",
  );
});

Deno.test("fitDirections() shrinks the covariance more, the fewer images there are", async () => {
  await useBackend("wasm");
  const rows = (...values: number[]) => ({ size: 2, values: Float32Array.from(values) });
  // With all directions, the distance is Mahalanobis's, divided by 2. Of four images, the covariance is diag(1/2, 1/8),
  // and a third of the shrunk one is their mean, 5/16, times the identity: diag(7/16, 3/16).
  const fitted = await fitDirections(rows(1, 0, -1, 0, 0, 0.5, 0, -0.5), [rows(1, 0, 0, 1)], 2, 0);
  const [x, y] = distances(fitted, rows(1, 0, 0, 1));
  assertAlmostEquals(x!, 16 / 7 / 2, 1e-5);
  assertAlmostEquals(y!, 16 / 3 / 2, 1e-5);
  const same = await fitDirections(rows(1, 2, 1, 2), [rows(1, 0, 0, 1)], 2, 0);
  const [none, far] = distances(same, rows(1, 2, 3, 3));
  assertAlmostEquals(none!, 0, 1);
  assert(far! > 1e6 && Number.isFinite(far), "images that are all the same have a distance too");
});

Deno.test("drawOutliers() draws the same images for a seed, in any size, in grey and in colour", () => {
  const families: Family[] = ["strokes", "shapes", "text", "shuffled patches", "constant images", "textures"];
  for (const [channels, height, width] of [[1, 28, 28], [3, 16, 24], [1, 2, 3], [3, 1, 1]] as const) {
    const shape = { channels, height, width }, size = channels * height * width;
    const pictures = Uint8Array.from({ length: 3 * size }, (_, i) => i % 251);
    for (const family of families) {
      const draw = (seed: number): Uint8Array =>
        drawOutliers(family, { count: 8, shape, pictures, random: new Random(seed) });
      assertEquals(draw(1).length, 8 * size);
      assertEquals(draw(1), draw(1), `${family} of ${size}`);
      if (size > 100 && family !== "constant images") assert(draw(1).join() !== draw(2).join(), family);
    }
  }
});

Deno.test("patches are shuffled without loss", () => {
  const shape = { channels: 3, height: 8, width: 8 };
  const pictures = Uint8Array.from({ length: 192 }, (_, i) => i);
  const image = drawOutliers("shuffled patches", { count: 1, shape, pictures, random: new Random(5) });
  for (let plane = 0; plane < 192; plane += 64) {
    assertEquals(image.slice(plane, plane + 64).sort(), pictures.slice(plane, plane + 64));
  }
});

Deno.test("auroc() counts pairs in the right order, and ties by half", () => {
  assertEquals(auroc([1, 2, 3], [0, 0]), 1);
  assertEquals(auroc([0, 0], [1, 2]), 0);
  assertEquals(auroc([1, 1], [1]), 0.5);
  assertEquals(auroc([1, 3], [0, 2]), 0.75);
  const random = new Random(6);
  const a = Array.from({ length: 50 }, () => random.below(9)),
    b = Array.from({ length: 30 }, () => random.below(9));
  const pairs = a.flatMap((x) => b.map((y): number => x > y ? 1 : x === y ? 0.5 : 0));
  assertAlmostEquals(auroc(a, b), pairs.reduce((sum, one) => sum + one) / pairs.length, 1e-12);
});

Deno.test("scoreKept() measures the images above the threshold only", () => {
  const logits = new Float32Array([9, 0, 9, 0, 0, 9, 0, 9]);
  const labels = [0, 1, 1, 1];
  for (const temperature of [1, 3]) {
    const { kept, accuracy, ece } = scoreKept({ logits, labels }, [0.5, 0.01, 0.05, 0.2], 0.05, temperature);
    assertEquals([kept, accuracy], [0.75, 1]);
    // All three have the same confidence, and are right.
    assertAlmostEquals(ece!, 1 - 1 / (1 + Math.exp(-9 / temperature)), 1e-6);
  }
  assertEquals(scoreKept({ logits, labels }, [0, 0, 0, 0], 0.05), { kept: 0 });
});

Deno.test("referenceOf() counts predictions, confidences and familiarities", () => {
  const logits = new Float32Array([0, 0, Math.log(9), 0, 0, Math.log(3)]);
  const { images, confidence, classes, familiarity } = referenceOf({ logits, labels: [0, 0, 0] }, 1, [
    0,
    0.05,
    1,
  ]);
  assertEquals([images, classes], [3, [2, 1]]);
  const filled = (counts: number[]): number[] => counts.flatMap((count, bin) => count ? [bin] : []);
  assertEquals([filled(confidence), filled(familiarity!)], [[10, 15, 18], [0, 1, 19]]);
  const colder = referenceOf({ logits, labels: [0, 0, 0] }, 0.5);
  assertEquals([filled(colder.confidence), colder.familiarity], [[10, 18, 19], undefined]);
});

const backend = await useBackend("wasm", "auto", 1);

/** A small network of the silhouettes, trained for real. */
async function trainSmall(
  { epochs = 12, ...options }: Partial<TrainOptions> & { epochs?: number } = {},
): Promise<TrainResult & { dataset: Dataset }> {
  const dataset = await loadSilhouettes();
  return {
    dataset,
    ...await train({
      dataset,
      recipe: { ...RECIPES.default, hidden: [96, 64], epochs, batchSize: 64, validation: 400 },
      backend,
      ...options,
    }),
  };
}

Deno.test("a trained model finds 95 % of its validation images familiar, and no noise, constants or negatives", async () => {
  const { dataset, artifact } = await trainSmall();
  const { familiarity, bytes } = artifact;
  assertEquals(familiarity!.threshold, 0.05);
  assertEquals(familiarity!.validation, { images: 400, kept: 0.95 });
  assertGreater(familiarity!.test.kept, 0.85);
  const description = await describeModel(bytes);
  assertEquals(description.familiarity, {
    threshold: 0.05,
    kept: 0.95,
    validation: familiarity!.validation,
    test: familiarity!.test,
  });
  const { reference } = description;
  const uneven = reference!.familiarity!.filter((images) => Math.abs(images - 20) > 12);
  assertEquals(uneven, [], "of 400 images, about 20 in each bin");
  for (const counts of [reference!.confidence, reference!.classes, reference!.familiarity!]) {
    assertEquals(counts.reduce((sum, n) => sum + n), 400);
  }

  const classifier = await Classifier.load(bytes);
  const unfamiliar = async (images: Uint8Array): Promise<number> =>
    1 - keptShare((await classifier.run(images)).familiarity!, 0.05);
  const random = new Random(8);
  const noise = Uint8Array.from({ length: 100 * 784 }, () => random.below(256));
  const dim = Uint8Array.from({ length: 100 * 784 }, () => random.below(26));
  const constants = Uint8Array.from({ length: 256 * 784 }, (_, i) => i / 784);
  const negatives = dataset.test.images.slice(0, 200 * 784).map((value) => 255 - value);
  assertEquals(await unfamiliar(noise), 1);
  assertEquals(await unfamiliar(dim), 1);
  assertEquals(await unfamiliar(constants), 1);
  assertGreater(await unfamiliar(negatives), 0.95);
  // Other silhouettes of the same generator are no outliers, and neither are their mirror images.
  const garments = silhouettes().test.images;
  assertLess(await unfamiliar(garments), 0.15);
  const mirrored = garments.map((_, i) => garments[i + 27 - 2 * (i % 28)]!);
  assertLess(await unfamiliar(mirrored), 0.15);
  await classifier.close();
});

Deno.test("the familiarity that ONNX Runtime computes is the trainer's own", async () => {
  const { artifact } = await trainSmall({ keep: 0.8, epochs: 2 });
  assertLess(artifact.familiarity!.maxDifference, 1e-4);
  assertEquals(artifact.familiarity!.threshold, 0.2);
  assertAlmostEquals(artifact.familiarity!.validation.kept, 0.8, 1e-9);
  const { outputs, nodes } = readOnnx(artifact.bytes);
  assertEquals(outputs.map(({ name, shape }) => [name, shape]).at(-1), [FAMILIARITY, ["N"]]);
  assertEquals(nodes.slice(-6).map(({ op }) => op), ["Gemm", "Gemm", "Mul", "Gemm", "Relu", "MatMul"]);
});

Deno.test("the same seed gives the same familiarity, and --keep 0 none", async () => {
  const recipe = { ...RECIPES.default, hidden: [16], epochs: 1, validation: 100 };
  const [first, second] = [await trainSmall({ recipe, seed: 3 }), await trainSmall({ recipe, seed: 3 })];
  assertEquals(first.artifact.bytes, second.artifact.bytes);
  const without = (await trainSmall({ recipe, seed: 3, keep: 0 })).artifact;
  assertEquals(without.familiarity, undefined);
  const { familiarity, reference } = await describeModel(without.bytes);
  assertEquals([familiarity, reference!.images, reference!.familiarity], [undefined, 100, undefined]);
});

Deno.test("a few colour images without validation images have a familiarity too", async () => {
  const random = new Random(9);
  // Left or right half in red, on white.
  const split = (count: number) => {
    const images = new Uint8Array(count * 3 * 64).fill(255);
    const labels = Uint8Array.from({ length: count }, (_, i) => i % 2);
    for (let i = 0; i < count; i++) {
      for (let y = 0; y < 8; y++) {
        for (let x = 0; x < 4; x++) {
          for (const c of [1, 2]) {
            images[i * 192 + c * 64 + y * 8 + x + 4 * labels[i]!] = random.below(60);
          }
        }
      }
    }
    return { images, labels, count };
  };
  const dataset = createDataset({
    name: "halves",
    labels: ["left", "right"],
    channels: 3,
    height: 8,
    width: 8,
    train: split(60),
    test: split(40),
  });
  const recipe = { ...RECIPES.default, hidden: [16], epochs: 20, batchSize: 8, validation: 0, flip: false };
  const { artifact } = await train({ dataset, recipe, backend });
  assertEquals(artifact.metrics.test.accuracy, 1);
  // A fifth of the 60 images is kept for the calibration.
  assertEquals(artifact.familiarity!.validation.images, 12);
  assertGreater(artifact.familiarity!.test.kept, 0.6);
  const noise = artifact.familiarity!.outliers.find(({ family }) => family === "uniform noise")!;
  assertGreater(noise.auroc, 0.99);
});

Deno.test("a network without hidden layers has a familiarity of its pixels", async () => {
  const { artifact } = await trainSmall({
    recipe: { ...RECIPES.default, hidden: [], dropout: 0, epochs: 1, validation: 200 },
  });
  const { nodes } = readOnnx(artifact.bytes);
  assertEquals(nodes.find(({ name }) => name === "familiarity.projection.0")!.inputs[0], "flatten");
  assertGreater(artifact.familiarity!.test.kept, 0.85);
});
