/**
 * The compiled code of assembly/, put to work on someone else's memory.
 *
 * @module
 */
import { relaxed, simd } from "./binaries.ts";
import type { Multiply, Partner, Product } from "./partner.ts";

/** A build of the kernel: with relaxed SIMD, which is faster, or with plain SIMD. */
export type BuildName = "relaxed" | "simd";

/** The builds, fastest first. */
export const BUILDS: Record<BuildName, Uint8Array<ArrayBuffer>> = { relaxed, simd };

/** The builds that this engine can run, fastest first. */
export function supportedBuilds(): BuildName[] {
  return (Object.keys(BUILDS) as BuildName[]).filter((name) => WebAssembly.validate(BUILDS[name]));
}

/** A memory, and how to get a piece of it. */
export interface Heap {
  memory: WebAssembly.Memory;
  /** Answers with an address, or 0 if there is no room. */
  malloc(bytes: number): number;
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
  sumRows(x: number, to: number, rows: number, columns: number): void;
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
  /** Does a share of each product that is large enough. */
  partner: Partner | undefined;
  readonly #memory: WebAssembly.Memory;
  readonly #multiply: Multiply;

  /**
   * Takes 2.4 MB of the heap, once and for ever, to pack matrices in.
   *
   * @throws {WebAssembly.CompileError} if the engine cannot run this build
   * @throws {WebAssembly.LinkError} if the memory is not of the kind that is needed, as when it is shared
   * @throws {RangeError} if the heap is full
   */
  constructor(build: BuildName, { memory, malloc }: Heap) {
    const module = new WebAssembly.Module(BUILDS[build]);
    const exports = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Exports;
    const bytes = exports.scratchBytes();
    // One cache line more than is needed, so that it can begin with one.
    const address = malloc(bytes + 64) >>> 0;
    if (address === 0) {
      throw new RangeError(`Cannot multiply matrices as the heap must have ${bytes} bytes left`);
    }
    this.build = build;
    this.sumRows = exports.sumRows;
    this.sgd = exports.sgd;
    this.adamW = exports.adamW;
    this.#memory = memory;
    const scratch = address + 63 & ~63;
    this.#multiply = ({ a, b, c, m, n, k, transposeA, transposeB, bias, floor }, lda, ldb, ldc) =>
      exports.gemm(
        ...[a, b, c, m, n, k, lda, ldb, ldc] as const,
        ...[Number(transposeA), Number(transposeB), bias, floor, scratch] as const,
      );
  }

  /**
   * C = A·B + bias; all are row-major.
   *
   * @param a `[m, k]`, or `[k, m]` if it is to be transposed
   * @param b `[k, n]`, or `[n, k]` if it is to be transposed
   * @param c `[m, n]`
   * @param bias `[n]`, or 0 for none
   * @param floor the least value of C: 0 makes a ReLU, -Infinity leaves C as it is
   */
  multiply(
    a: number,
    b: number,
    c: number,
    m: number,
    n: number,
    k: number,
    transposeA: boolean,
    transposeB: boolean,
    bias = 0,
    floor = -Infinity,
  ): void {
    const product: Product = { a, b, c, m, n, k, transposeA, transposeB, bias, floor };
    if (this.partner?.multiply(this.#memory.buffer, product, this.#multiply)) return;
    this.#multiply(product, transposeA ? m : k, transposeB ? k : n, n);
  }
}
