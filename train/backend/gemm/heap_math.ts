/**
 * Runs the compiled code of assembly/ in the memory of another WebAssembly module.
 *
 * @module
 */
import { relaxed, simd } from "./binaries.ts";

/** A build of the kernel: with relaxed SIMD, which is faster, or with plain SIMD. */
export type BuildName = "relaxed" | "simd";

/** The builds, fastest first. */
export const BUILDS: Record<BuildName, Uint8Array<ArrayBuffer>> = { relaxed, simd };

/** The builds that this engine can run, fastest first. */
export function supportedBuilds(): BuildName[] {
  return (Object.keys(BUILDS) as BuildName[]).filter((name) => WebAssembly.validate(BUILDS[name]));
}

/** A memory with its allocator. */
export interface Heap {
  memory: WebAssembly.Memory;
  /** Returns an address, or 0 if there is no room. */
  malloc(bytes: number): number;
  free(address: number): void;
}

/** One product of matrices in the memory: C = A·B, all row-major. Addresses are in bytes. */
export interface Product {
  /** `[m, k]`, or `[k, m]` if it is to be transposed */
  a: number;
  /** `[k, n]`, or `[n, k]` if it is to be transposed */
  b: number;
  /** `[m, n]`, written */
  c: number;
  m: number;
  n: number;
  k: number;
  transposeA: boolean;
  transposeB: boolean;
}

/** A native library that multiplies in the same memory. */
export interface NativeGemm {
  /** As `OpenBLAS 0.3.21 Haswell`. */
  readonly name: string;
  /** How many threads it uses; absent if it decides that by itself. */
  readonly threads?: number | undefined;
  /** Multiplies; none of the sizes is 0. */
  multiply(heap: ArrayBuffer, product: Product): void;
}

/** What assembly/mod.ts exports; the parameters are explained there. */
interface Exports {
  scratchBytes(): number;
  gemm(
    ...args: [
      ...[a: number, b: number, c: number, m: number, n: number, k: number],
      ...[lda: number, ldb: number, ldc: number],
      ...[transposeA: number, transposeB: number, bias: number, floor: number, scratch: number],
    ]
  ): void;
  activate(c: number, bias: number, rows: number, columns: number, floor: number): void;
  reluGradient(dy: number, y: number, dz: number, count: number): void;
  batchNorm(
    ...args: [
      ...[x: number, gamma: number, beta: number, y: number, mean: number, inverse: number],
      ...[rows: number, columns: number, epsilon: number, floor: number],
    ]
  ): void;
  batchNormGradient(
    ...args: [
      ...[dy: number, y: number, x: number, gamma: number, mean: number, inverse: number],
      ...[dx: number, dGamma: number, dBeta: number, rows: number, columns: number, floor: number],
    ]
  ): void;
  sumRows(x: number, to: number, rows: number, columns: number): void;
  average(a: number, w: number, count: number, decay: number, rest: number): void;
  sgd(w: number, g: number, v: number, count: number, rate: number, momentum: number): void;
  adamW(
    ...args: [
      ...[w: number, g: number, m: number, v: number, count: number, rate: number],
      ...[decay: number, beta1: number, beta2: number, scale: number, epsilon: number],
    ]
  ): void;
}

/** Arithmetic on the float32 numbers of one memory. All addresses are bytes. */
export class HeapMath {
  readonly build: BuildName;
  readonly sumRows: Exports["sumRows"];
  readonly sgd: Exports["sgd"];
  readonly adamW: Exports["adamW"];
  readonly average: Exports["average"];
  readonly activate: Exports["activate"];
  readonly reluGradient: Exports["reluGradient"];
  readonly batchNorm: Exports["batchNorm"];
  readonly batchNormGradient: Exports["batchNormGradient"];
  /** Multiplies in place of our kernel. */
  native: NativeGemm | undefined;
  readonly #heap: Heap;
  readonly #gemm: Exports["gemm"];
  readonly #scratch: number;

  /**
   * Allocates 2.4 MB of the heap, which are never freed, to pack matrices in.
   *
   * @throws {WebAssembly.CompileError} if the engine cannot run this build
   * @throws {WebAssembly.LinkError} if the memory is not of the kind that is needed, as when it is shared
   * @throws {RangeError} if the heap is full
   */
  constructor(build: BuildName, heap: Heap) {
    const { memory } = heap;
    const module = new WebAssembly.Module(BUILDS[build]);
    const exports = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Exports;
    this.build = build;
    this.sumRows = exports.sumRows;
    this.sgd = exports.sgd;
    this.adamW = exports.adamW;
    this.average = exports.average;
    this.activate = exports.activate;
    this.reluGradient = exports.reluGradient;
    this.batchNorm = exports.batchNorm;
    this.batchNormGradient = exports.batchNormGradient;
    this.#heap = heap;
    this.#gemm = exports.gemm;
    // One cache line more than is needed, for the alignment.
    this.#scratch = this.#allocate(exports.scratchBytes() + 64) + 63 & ~63;
  }

  /** The memory, which is another object after it has grown. Shared memory was refused at linking. */
  get buffer(): ArrayBuffer {
    return this.#heap.memory.buffer as ArrayBuffer;
  }

  /**
   * C = A·B, or C = max(A·B + bias, floor).
   *
   * @param bias `[n]`, or 0 for none
   * @param floor the least value of C: 0 for a ReLU, -Infinity for none
   */
  multiply(product: Product, bias = 0, floor = -Infinity): void {
    const { c, m, n, k } = product;
    if (!this.native || m === 0 || n === 0 || k === 0) return this.multiplyHere(product, bias, floor);
    this.native.multiply(this.buffer, product);
    if (bias || floor === 0) this.activate(c, bias, m, n, floor);
  }

  /** The same with our kernel, even if there is a native library. */
  multiplyHere(product: Product, bias = 0, floor = -Infinity): void {
    const { a, b, c, m, n, k, transposeA, transposeB } = product;
    const [lda, ldb] = [transposeA ? m : k, transposeB ? k : n];
    this.#gemm(
      ...[a, b, c, m, n, k, lda, ldb, n, Number(transposeA), Number(transposeB)] as const,
      ...[bias, floor, this.#scratch] as const,
    );
  }

  /**
   * Allocates memory for the duration of `use`.
   *
   * @throws {RangeError} if the heap is full
   */
  borrow<T>(bytes: number, use: (address: number) => T): T {
    const address = this.#allocate(bytes);
    try {
      return use(address);
    } finally {
      this.#heap.free(address);
    }
  }

  #allocate(bytes: number): number {
    const address = this.#heap.malloc(bytes) >>> 0;
    if (address === 0) {
      throw new RangeError(`Cannot multiply matrices as the heap must have ${bytes} bytes left`);
    }
    return address;
  }
}
