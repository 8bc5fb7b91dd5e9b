/**
 * Matrix multiplication alone.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";

/** Rows, depth and columns: the first layer for a batch of 64, and a large square. */
export const SHAPES = [[64, 784, 512], [1024, 1024, 1024]] as const;

/** Which operands are transposed. */
export const FORMS = [
  { name: "AB", transposeA: false, transposeB: false },
  { name: "ABᵀ", transposeA: false, transposeB: true },
  { name: "AᵀB", transposeA: true, transposeB: false },
  { name: "AᵀBᵀ", transposeA: true, transposeB: true },
] as const;

/** Seconds of each product, on the current backend. */
export function multiplySeconds(
  [m, k, n]: readonly [number, number, number],
  { transposeA, transposeB }: typeof FORMS[number],
  signal: AbortSignal,
): number[] {
  const a = tf.randomUniform<tf.Rank.R2>(transposeA ? [k, m] : [m, k]);
  const b = tf.randomUniform<tf.Rank.R2>(transposeB ? [n, k] : [k, n]);
  const seconds: number[] = [];
  for (let flops = 0; flops < 1e10; flops += 2 * m * k * n) {
    signal.throwIfAborted();
    const start = performance.now();
    tf.dispose(tf.matMul(a, b, transposeA, transposeB));
    seconds.push((performance.now() - start) / 1000);
  }
  tf.dispose([a, b]);
  return seconds;
}
