/**
 * A native BLAS that multiplies matrices in the memory of TensorFlow.js's WASM backend, without copying them.
 * docs/wasm-gemm.md explains the idea.
 *
 * @module
 */
import type { HeapMath, NativeGemm, Product } from "../gemm/heap_math.ts";
import { type Functions, type Library, type LibraryInfo, setUp } from "./libraries.ts";
import { verify } from "./verify.ts";

/** CBLAS's constants. */
const ROW_MAJOR = 101, NO_TRANSPOSE = 111, TRANSPOSE = 112;
/** oneDNN's, in ASCII. */
const N = 78, T = 84;

/** A library whose results were verified. */
export class Blas implements NativeGemm {
  /** As `OpenBLAS 0.3.21 Haswell`. */
  readonly name: string;
  /** How many threads it uses; absent if it decides that by itself. */
  readonly threads: number | undefined;
  readonly #functions: Functions;

  private constructor(functions: Functions, { name, threads }: LibraryInfo) {
    this.name = name;
    this.threads = threads;
    this.#functions = functions;
  }

  /**
   * Sets a library up and verifies its products.
   *
   * @param path where it was loaded from
   * @param threads how many threads it should use
   * @returns a reason, to follow "it must", if it cannot be used
   */
  static create({ symbols }: Library, path: string, threads: number, math: HeapMath): Blas | string {
    const info = setUp(symbols, path, threads);
    if (typeof info === "string") return info;
    const blas = new Blas(symbols, info);
    return verify(blas, math) ?? blas;
  }

  /**
   * C = A·B; none of the sizes is 0.
   *
   * @throws {RangeError} if a matrix does not lie within the memory
   */
  multiply(heap: ArrayBuffer, { a, b, c, m, n, k, transposeA, transposeB }: Product): void {
    // The views check that each matrix is inside the memory, whose address changes when it grows.
    const left = new Float32Array(heap, a, m * k), right = new Float32Array(heap, b, k * n);
    const to = new Float32Array(heap, c, m * n);
    const lda = transposeA ? m : k, ldb = transposeB ? k : n;
    const { cblas_sgemm, dnnl_sgemm } = this.#functions;
    if (cblas_sgemm) {
      cblas_sgemm(
        ...[ROW_MAJOR, transposeA ? TRANSPOSE : NO_TRANSPOSE, transposeB ? TRANSPOSE : NO_TRANSPOSE] as const,
        ...[m, n, k, 1, left, lda, right, ldb, 0, to, n] as const,
      );
      return;
    }
    const status = dnnl_sgemm!(
      ...[transposeA ? T : N, transposeB ? T : N, BigInt(m), BigInt(n), BigInt(k)] as const,
      ...[1, left, BigInt(lda), right, BigInt(ldb), 0, to, BigInt(n)] as const,
    );
    if (status !== 0) throw new Error(`Cannot multiply as ${this.name} must return 0: it returned ${status}`);
  }
}
