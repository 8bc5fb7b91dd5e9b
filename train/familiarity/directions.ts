/**
 * The directions in which unfamiliar images stand out among the features of training images. With directions that
 * only describe the training images, as those of a Mahalanobis distance, the result depends on how the network was
 * trained; docs/familiarity.md has the comparison.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { Random } from "../../shared/random.ts";
import type { Rows } from "./features.ts";
import { cholesky, dot, invertLower, orthonormalize, transpose } from "./linear_algebra.ts";

/** A squared distance from the training images: `‖directions · h − offset‖²`. */
export interface Directions {
  /** `[k, D]`, row-major. */
  directions: Float32Array<ArrayBuffer>;
  /** `[k]` */
  offset: Float32Array<ArrayBuffer>;
}

/** Rounds of the orthogonal iteration; the directions need not be exact eigenvectors. */
const ROUNDS = 30;

/** Rows per product, so that their sums in float32 stay short. */
const BLOCK = 2000;

/**
 * Fits the directions.
 *
 * The features are whitened by the training images' covariance, which is shrunk towards a multiple of the identity.
 * The directions are the leading eigenvectors of the second moment of the outliers' whitened features, by orthogonal
 * iteration. Each outlier is scaled to the same length first, and each family counts the same.
 *
 * @param familiar features of training images, `[N, D]`
 * @param families features of outliers, `[M, D]` each
 * @param k number of directions, at most `D`
 * @param seed of the initial directions
 */
export async function fitDirections(
  familiar: Rows,
  families: readonly Rows[],
  k: number,
  seed: number,
): Promise<Directions> {
  const { size } = familiar;
  const { mean, covariance } = await momentsOf(familiar);
  shrink(covariance, size, familiar.values.length / size);
  // The rows of W = L⁻¹ whiten: W·Σ·Wᵀ = I.
  const whitening = invertLower(cholesky(covariance, size), size);
  const second = await secondMoment(families, mean, whitening);
  const axes = await leadingEigenvectors(second, size, k, seed);
  // directions = axes · W / √k, and W is lower triangular.
  const columns = transpose(whitening, size, size);
  const directions = new Float32Array(k * size), offset = new Float32Array(k);
  for (let i = 0; i < k; i++) {
    const axis = axes.subarray(i * size, (i + 1) * size);
    let sum = 0;
    for (let j = 0; j < size; j++) {
      const value = Math.fround(dot(axis, columns.subarray(j * size, (j + 1) * size), size) / Math.sqrt(k));
      directions[i * size + j] = value;
      sum += value * mean[j]!;
    }
    offset[i] = sum;
  }
  return { directions, offset };
}

/** The squared distance of each row. */
export function distances({ directions, offset }: Directions, { values, size }: Rows): Float64Array {
  const k = offset.length;
  return Float64Array.from({ length: values.length / size }, (_, row) => {
    const start = row * size;
    let distance = 0;
    for (let i = 0; i < k; i++) {
      let s0 = 0, s1 = 0, j = 0;
      const at = i * size;
      for (; j + 1 < size; j += 2) {
        s0 += directions[at + j]! * values[start + j]!;
        s1 += directions[at + j + 1]! * values[start + j + 1]!;
      }
      if (j < size) s0 += directions[at + j]! * values[start + j]!;
      distance += (s0 + s1 - offset[i]!) ** 2;
    }
    return distance;
  });
}

/** Mean and covariance of rows. */
async function momentsOf({ values, size }: Rows): Promise<{ mean: Float64Array; covariance: Float64Array }> {
  const count = values.length / size;
  const mean = new Float64Array(size);
  for (let i = 0; i < values.length; i++) mean[i % size]! += values[i]!;
  for (let j = 0; j < size; j++) mean[j]! /= count;
  const covariance = await gram(blocks({ values, size }, (block) => centre(block, mean)), size);
  for (let i = 0; i < covariance.length; i++) covariance[i]! /= count;
  return { mean, covariance };
}

/** `(1 − a)·Σ + a·tr(Σ)/D·I` with `a = D/(D + N)`: fewer images need more of the identity. */
function shrink(covariance: Float64Array, size: number, count: number): void {
  const share = size / (size + count);
  let trace = 0;
  for (let i = 0; i < size; i++) trace += covariance[i * size + i]!;
  for (let i = 0; i < covariance.length; i++) covariance[i]! *= 1 - share;
  for (let i = 0; i < size; i++) covariance[i * size + i]! += share * Math.max(trace / size, 1e-12);
}

/** The mean over families of the second moment of their whitened features, each of length √D. */
async function secondMoment(
  families: readonly Rows[],
  mean: Float64Array,
  whitening: Float64Array,
): Promise<Float64Array> {
  const size = mean.length;
  const matrix = tf.tensor2d(Float32Array.from(whitening), [size, size]);
  const second = new Float64Array(size * size);
  try {
    for (const family of families) {
      const count = family.values.length / size;
      const whitened = blocks(family, (block) => {
        const rows = tf.matMul(centre(block, mean), matrix, false, true);
        const length = tf.sqrt(tf.mean(tf.square(rows), 1, true));
        return tf.div(rows, tf.maximum(length, 1e-9)) as tf.Tensor2D;
      });
      const sum = await gram(whitened, size);
      for (let i = 0; i < sum.length; i++) second[i]! += sum[i]! / count / families.length;
    }
  } finally {
    matrix.dispose();
  }
  return second;
}

/** The eigenvectors of the largest eigenvalues of a symmetric matrix, `[k, D]`, by orthogonal iteration. */
async function leadingEigenvectors(
  matrix: Float64Array,
  size: number,
  k: number,
  seed: number,
): Promise<Float64Array> {
  const random = new Random(seed, 7);
  let axes: Float64Array = Float64Array.from({ length: k * size }, () => random.uniform(-1, 1));
  orthonormalize(axes, k, size);
  const symmetric = tf.tensor2d(Float32Array.from(matrix), [size, size]);
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const product = tf.tidy(() => tf.matMul(tf.tensor2d(Float32Array.from(axes), [k, size]), symmetric));
      axes = Float64Array.from(await product.data());
      product.dispose();
      orthonormalize(axes, k, size);
    }
  } finally {
    symmetric.dispose();
  }
  return axes;
}

function* blocks(
  { values, size }: Rows,
  prepare: (block: Rows) => tf.Tensor2D,
): Generator<tf.Tensor2D> {
  for (let start = 0; start < values.length; start += BLOCK * size) {
    yield tf.tidy(() => prepare({ values: values.subarray(start, start + BLOCK * size), size }));
  }
}

function centre({ values, size }: Rows, mean: Float64Array): tf.Tensor2D {
  const centred = values.map((value, i) => value - mean[i % size]!);
  return tf.tensor2d(centred, [values.length / size, size]);
}

/** The sum of `xᵀ·x` over blocks, `[D, D]`; each block's in float32, their sum in float64. */
async function gram(blocks: Iterable<tf.Tensor2D>, size: number): Promise<Float64Array> {
  const sum = new Float64Array(size * size);
  for (const block of blocks) {
    const product = tf.tidy(() => tf.matMul(block, block, true, false));
    const values = await product.data();
    for (let i = 0; i < sum.length; i++) sum[i]! += values[i]!;
    tf.dispose([block, product]);
  }
  return sum;
}
