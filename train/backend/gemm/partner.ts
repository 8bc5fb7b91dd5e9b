/**
 * A second thread that does its share of a product. It cannot see the memory of the backend, so its share of
 * the operands is copied to a memory that both see, and its share of the result is copied back.
 *
 * @module
 */
import { Worker } from "node:worker_threads";
import { COMMAND, FIRST, HEADER, type PartnerData, STATE } from "./partner_protocol.ts";

/** Below this many operations a product is done before another thread has woken up. */
const LEAST_WORK = 4e6;
/** What the second thread does of it: less than half, as it must wait for its operands. */
const SHARE = 0.46;
/** The tile of the kernel: parts that are whole tiles give the bytes of the whole. */
const ROWS = 5, COLUMNS = 8;
/** How often to look before falling asleep: some ten microseconds. */
const SPINS = 2000;
/** In ms: a product takes some milliseconds, and a thread that is gone says nothing. */
const PATIENCE = 60_000;
const PAGE = 65536;

/** A matrix on the heap, as it lies there. */
interface Operand {
  /** Bytes. */
  address: number;
  /** Numbers of a row. */
  width: number;
}

/** One product; the sizes are those after transposing. */
export interface Product {
  a: number;
  b: number;
  c: number;
  m: number;
  n: number;
  k: number;
  transposeA: boolean;
  transposeB: boolean;
  bias: number;
  floor: number;
}

/** Multiplies what begins at `product`'s addresses, with rows that are so far apart. */
export type Multiply = (product: Product, lda: number, ldb: number, ldc: number) => void;

export class Partner {
  readonly #worker: Worker;
  readonly #memory: WebAssembly.Memory;
  readonly #control: Int32Array<ArrayBufferLike>;
  #numbers: Float32Array<ArrayBufferLike>;
  readonly #first: number;

  private constructor(worker: Worker, memory: WebAssembly.Memory) {
    this.#worker = worker;
    this.#memory = memory;
    this.#control = new Int32Array(memory.buffer, 0, HEADER);
    this.#numbers = new Float32Array(memory.buffer);
    this.#first = this.#control[FIRST]!;
  }

  /**
   * Starts the thread.
   *
   * @throws {Error} if it cannot be had
   */
  static async start(): Promise<Partner> {
    const memory = new WebAssembly.Memory({ initial: 256, maximum: 65536, shared: true });
    const workerData: PartnerData = { memory };
    const worker = new Worker(new URL("./partner_worker.ts", import.meta.url), { workerData });
    const control = new Int32Array(memory.buffer, 0, HEADER);
    const failed = new Promise<never>((_, reject) => worker.once("error", reject));
    const ready = new Promise<void>((resolve) => worker.once("message", () => resolve()));
    await Promise.race([ready, failed]);
    if (control[STATE] !== COMMAND.wait) throw new Error("the second thread must be ready");
    worker.removeAllListeners();
    // It lives no longer than whoever gave it work.
    worker.unref();
    return new Partner(worker, memory);
  }

  /** Ends the thread. */
  async stop(): Promise<void> {
    Atomics.store(this.#control, STATE, COMMAND.end);
    Atomics.notify(this.#control, STATE);
    await this.#worker.terminate();
  }

  /**
   * Does a product in two, to the bytes of one, if that pays.
   *
   * @param heap the backend's memory
   * @param multiply does this thread's share
   * @returns false if it does not pay, and nothing was done
   */
  multiply(heap: ArrayBufferLike, product: Product, multiply: Multiply): boolean {
    const { m, n, k, transposeA, transposeB } = product;
    if (2 * m * n * k < LEAST_WORK) return false;
    const byColumns = m * k < n * k;
    const [size, tile] = byColumns ? [n, COLUMNS] : [m, ROWS];
    const theirs = Math.floor(size * SHARE / tile) * tile, ours = size - theirs;
    if (theirs === 0) return false;

    // What they get: all of one operand, and what lies behind our share of the other.
    const a: Operand = { address: product.a, width: transposeA ? m : k };
    const b: Operand = { address: product.b, width: transposeB ? k : n };
    const [theirM, theirN] = byColumns ? [m, theirs] : [theirs, n];
    const skipped = (isA: boolean): [row: number, column: number] => {
      if (isA === byColumns) return [0, 0];
      // A's rows and B's columns are cut, and either may lie the other way.
      return (isA ? transposeA : !transposeB) ? [0, ours] : [ours, 0];
    };
    const aSize = theirM * k, bSize = k * theirN, cSize = theirM * theirN;
    const aAt = this.#first, bAt = aAt + aSize + 16, biasAt = bAt + bSize + 16, cAt = biasAt + theirN + 16;
    this.#grow(cAt + cSize);
    const source = new Float32Array(heap);
    const aShape = transposeA ? [k, theirM] as const : [theirM, k] as const;
    const bShape = transposeB ? [theirN, k] as const : [k, theirN] as const;
    copyIn(this.#numbers, aAt, source, a, skipped(true), aShape);
    copyIn(this.#numbers, bAt, source, b, skipped(false), bShape);
    if (product.bias) {
      const from = product.bias / 4 + (byColumns ? ours : 0);
      this.#numbers.set(source.subarray(from, from + theirN), biasAt);
    }
    const control = this.#control;
    control.set([
      ...[aAt * 4, bAt * 4, cAt * 4, theirM, theirN, k, aShape[1], bShape[1], theirN],
      ...[Number(transposeA), Number(transposeB), product.bias ? biasAt * 4 : 0],
      product.floor === 0 ? 1 : 0,
    ], 1);
    Atomics.store(control, STATE, COMMAND.multiply);
    Atomics.notify(control, STATE);

    const our = byColumns ? { ...product, n: ours } : { ...product, m: ours };
    multiply(our, a.width, b.width, n);

    for (let i = 0; i < SPINS && Atomics.load(control, STATE) === COMMAND.multiply; i++);
    while (Atomics.load(control, STATE) === COMMAND.multiply) {
      if (Atomics.wait(control, STATE, COMMAND.multiply, PATIENCE) !== "timed-out") continue;
      throw new Error(`Cannot multiply as the second thread must answer within ${PATIENCE} ms: it does not`);
    }
    const to = product.c / 4 + (byColumns ? ours : ours * n);
    const target = new Float32Array(heap);
    if (theirN === n) target.set(this.#numbers.subarray(cAt, cAt + cSize), to);
    else {
      for (let row = 0; row < theirM; row++) {
        const from = cAt + row * theirN;
        target.set(this.#numbers.subarray(from, from + theirN), to + row * n);
      }
    }
    return true;
  }

  #grow(numbers: number): void {
    const missing = numbers * 4 - this.#memory.buffer.byteLength;
    if (missing <= 0) return;
    this.#memory.grow(Math.ceil(missing / PAGE));
    this.#numbers = new Float32Array(this.#memory.buffer);
  }
}

/** Copies a block of a matrix to where its rows lie without gaps. */
function copyIn(
  target: Float32Array<ArrayBufferLike>,
  at: number,
  source: Float32Array<ArrayBufferLike>,
  { address, width }: Operand,
  [row, column]: [number, number],
  [rows, columns]: readonly [number, number],
): void {
  let from = address / 4 + row * width + column;
  if (columns === width) return target.set(source.subarray(from, from + rows * columns), at);
  for (let i = 0; i < rows; i++, from += width, at += columns) {
    target.set(source.subarray(from, from + columns), at);
  }
}
