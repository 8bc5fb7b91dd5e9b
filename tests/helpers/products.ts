/**
 * Matrix products for the tests: random operands, what multiplies them, and the error bound that they are held to.
 *
 * @module
 */
import { assertEquals, assertLessOrEqual } from "@std/assert";
import * as tf from "@tensorflow/tfjs";
import type { Random } from "../../shared/random.ts";
import { type GemmName, useBackend } from "../../train/backend/mod.ts";
import { supportedBuilds } from "../../train/backend/gemm/heap_math.ts";

/** What can multiply matrices on WASM. */
export interface Gemm {
  name: GemmName;
  threads: number;
}

const GEMMS: Gemm[] = [
  { name: "relaxed", threads: 1 },
  { name: "simd", threads: 1 },
  { name: "native", threads: 1 },
  { name: "native", threads: 2 },
];
const native = await useBackend("wasm", "native").catch((error: Error) => error.message);
export const WITHOUT_NATIVE = typeof native === "string" ? native : undefined;

/** The unit roundoff of float32. */
export const U = 2 ** -24;

/** Runs a test with each that this machine has. */
export function each(name: string, run: (gemm: Gemm) => Promise<void> | void): void {
  for (const gemm of GEMMS) {
    const missing = gemm.name === "native"
      ? WITHOUT_NATIVE
      : supportedBuilds().includes(gemm.name)
      ? undefined
      : `this engine has no ${gemm.name} SIMD`;
    const threads = gemm.name === "native" ? `, ${gemm.threads} threads` : "";
    Deno.test({
      name: `${name} (${gemm.name}${threads}${missing === undefined ? "" : `; not run: ${missing}`})`,
      ignore: missing !== undefined,
      async fn(): Promise<void> {
        assertEquals((await useBackend("wasm", gemm.name, gemm.threads)).gemm, gemm.name);
        const kept = (): number[] => [tf.memory().numTensors, tf.engine().backend.numDataIds()];
        const before = kept();
        await run(gemm);
        assertEquals(kept(), before, "every tensor is given back, and its memory");
      },
    });
  }
}

/** One product. */
export interface Problem {
  m: number;
  k: number;
  n: number;
  transposeA: boolean;
  transposeB: boolean;
  /** Batch dimensions of each operand. */
  outerA: number[];
  outerB: number[];
}

/** Random numbers for a tensor of this shape. */
export function draw(shape: number[], random: Random): Float32Array {
  const size = shape.reduce((product, length) => product * length, 1);
  return Float32Array.from({ length: size }, () => random.uniform(-1, 1));
}

/** The shapes of both operands. */
export function shapesOf({ m, k, n, transposeA, transposeB, outerA, outerB }: Problem): [number[], number[]] {
  return [
    [...outerA, ...(transposeA ? [k, m] : [m, k])],
    [...outerB, ...(transposeB ? [n, k] : [k, n])],
  ];
}

/**
 * Compares a product with one in float64. Whatever the order of a sum of k products, each rounded or not, in
 * float32 it is off by no more than γ(k)·Σ|a·b|, where γ(k) = k·u / (1 − k·u): Higham, Accuracy and Stability
 * of Numerical Algorithms, section 3.1. A bias is one more term.
 */
export function assertProduct(
  actual: Float32Array,
  a: Float32Array,
  b: Float32Array,
  problem: Problem,
  bias?: Float32Array,
): void {
  const { m, k, n, transposeA, transposeB } = problem;
  const outer = tf.broadcast_util.assertAndGetBroadcastShape(problem.outerA, problem.outerB);
  const count = tf.util.sizeFromShape(outer);
  assertEquals(actual.length, count * m * n);
  const terms = k + 1, gamma = terms * U / (1 - terms * U);
  const strides = tf.util.computeStrides([...outer, 1]);
  for (let index = 0; index < count; index++) {
    const place = outer.map((length, axis) => Math.floor(index / strides[axis]!) % length);
    const matrix = (shape: number[]): number =>
      shape.reduce(
        (at, length, i) => at * length + (length === 1 ? 0 : place[outer.length - shape.length + i]!),
        0,
      );
    const fromA = matrix(problem.outerA) * m * k, fromB = matrix(problem.outerB) * k * n;
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let sum = bias?.[j] ?? 0, size = Math.abs(sum);
        for (let p = 0; p < k; p++) {
          const term = a[fromA + (transposeA ? p * m + i : i * k + p)]! *
            b[fromB + (transposeB ? j * k + p : p * n + j)]!;
          sum += term;
          size += Math.abs(term);
        }
        const error = Math.abs(actual[(index * m + i) * n + j]! - sum);
        // Products of drawn numbers can be subnormal, where the error is absolute.
        assertLessOrEqual(
          error,
          gamma * size + terms * 2 ** -149,
          JSON.stringify({ ...problem, index, i, j }),
        );
      }
    }
  }
}

/** Multiplies with TensorFlow.js. */
export function multiply(a: Float32Array, b: Float32Array, problem: Problem): Float32Array {
  const [shapeA, shapeB] = shapesOf(problem);
  const product = tf.tidy(() =>
    tf.matMul(tf.tensor(a, shapeA), tf.tensor(b, shapeB), problem.transposeA, problem.transposeB)
  );
  const values = new Float32Array(product.dataSync());
  product.dispose();
  return values;
}

/** How large the WASM backend's memory is. */
export function heapBytes(): number {
  return (tf.backend() as unknown as { wasm: { HEAPU8: Uint8Array } }).wasm.HEAPU8.length;
}

/** A product of two matrices as they lie. */
export const plain = { transposeA: false, transposeB: false, outerA: [], outerB: [] };
