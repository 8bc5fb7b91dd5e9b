/**
 * Compares the products of a native library with those of our kernel: old builds of OpenBLAS compute wrong results
 * on processors that are newer than they are.
 *
 * @module
 */
import { Random } from "../../../shared/random.ts";
import type { HeapMath, NativeGemm, Product } from "../gemm/heap_math.ts";

/** Rows, columns and depth: odd ones around the libraries' tiles, vectors, and those of training. */
const SIZES = [
  [1, 1, 1],
  [1, 17, 33],
  [35, 1, 19],
  [3, 5, 7],
  [31, 33, 65],
  [67, 129, 1],
  [64, 256, 784],
  [64, 10, 512],
  [512, 10, 64],
  [129, 257, 383],
] as const;
/** How many of them are also tried with special numbers. */
const SPECIAL_SIZES = 5;
const SPECIAL = [NaN, 0, Infinity, -0, -Infinity];
/** The smallest normal number: a library may flush smaller ones to zero. */
const TINY = 2 ** -126;
/** The unit roundoff of float32. */
const U = 2 ** -24;
/** Period of the operands, a prime: drawing every number would take longer than multiplying. */
const PERIOD = 4099;
/** Numbers in the largest operand and in the largest result. */
const OPERAND = 256 * 784, RESULT = 129 * 257 + 1;

/**
 * Multiplies in all four forms. Each sum of k products is off by at most γ(k)·Σ|a·b| in either, whatever the order
 * (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1), so that they differ by at most twice that.
 *
 * @returns a reason, to follow "as it must", if the library computes something else
 */
export function verify(native: NativeGemm, math: HeapMath): string | undefined {
  return math.borrow(4 * (4 * OPERAND + 3 * RESULT), (address) => {
    const random = new Random(1);
    const [a, b, sizeA, sizeB] = [0, 1, 2, 3].map((i) => address + 4 * OPERAND * i);
    const [ours, theirs, bound] = [0, 1, 2].map((i) => address + 4 * (4 * OPERAND + RESULT * i));
    const view = (at: number, length: number): Float32Array => new Float32Array(math.buffer, at, length);
    const operands = [[a, sizeA], [b, sizeB]] as [number, number][];
    for (const [values, sizes] of operands) {
      const drawn = Float32Array.from({ length: PERIOD }, () => random.uniform(-1, 1));
      const [numbers, magnitudes] = [view(values, OPERAND), view(sizes, OPERAND)];
      for (let i = 0; i < OPERAND; i++) magnitudes[i] = Math.abs(numbers[i] = drawn[i % PERIOD]!);
    }
    // Each size twice: the second time with special numbers in the operands.
    for (const [i, [m, n, k]] of [...SIZES, ...SIZES.slice(0, SPECIAL_SIZES)].entries()) {
      if (i === SIZES.length) {
        operands.forEach(([values, sizes], which) => {
          SPECIAL.forEach((special, i) => {
            view(values, OPERAND)[which + i * 41] = special;
            view(sizes, OPERAND)[which + i * 41] = Math.abs(special);
          });
        });
      }
      for (const transposeA of [false, true]) {
        for (const transposeB of [false, true]) {
          const sizes = { m, n, k, transposeA, transposeB };
          math.multiplyHere({ ...sizes, a: a!, b: b!, c: ours! });
          math.multiplyHere({ ...sizes, a: sizeA!, b: sizeB!, c: bound! });
          const ask = (c: number, changes: Partial<Product> = {}): Float32Array => {
            // C must not be read, and memory after it must not be written.
            const result = view(c, m * n + 1).fill(NaN);
            native.multiply(math.buffer, { ...sizes, a: a!, b: b!, c, ...changes });
            return result;
          };
          const result = ask(theirs!), gamma = k * U / (1 - k * U);
          const expected = view(ours!, m * n), limits = view(bound!, m * n);
          for (let i = 0; i < m * n; i++) {
            // The bound is computed in float32 too, and so may be too small by its own error.
            if (
              !Object.is(result[i], expected[i]) &&
              !(Math.abs(result[i]! - expected[i]!) <= 2.01 * gamma * limits[i]! + k * TINY)
            ) {
              return `multiply correctly: ${m}×${k} by ${k}×${n}${transposeA ? ", A transposed" : ""}${
                transposeB ? ", B transposed" : ""
              } gave ${result[i]} instead of ${expected[i]}`;
            }
          }
          if (!Number.isNaN(result[m * n])) return "write the result only: it wrote to memory after it";
          const first = result.slice();
          if (!ask(theirs!).every((value, i) => Object.is(value, first[i]))) {
            return `give the same bytes twice: ${m}×${k} by ${k}×${n} did not`;
          }
        }
      }
    }
    return undefined;
  });
}
