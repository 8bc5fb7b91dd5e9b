/**
 * The WebAssembly that prepares batches, in a small memory of its own. It serves every backend.
 *
 * @module
 */
import { borderMedian } from "../../shared/border_median.ts";
import type { Random } from "../../shared/random.ts";
import { simd } from "../backend/gemm/binaries.ts";

/** What assembly/batch.ts exports; the parameters are explained there. */
interface Exports {
  augment(
    ...args: [
      ...[from: number, to: number, moves: number, fills: number, count: number],
      ...[rows: number, height: number, width: number, table: number],
    ]
  ): void;
  blend(from: number, to: number, partners: number, count: number, size: number, share: number): void;
  dropout(to: number, count: number, state: number, threshold: number, scale: number): void;
}

const PAGE_BYTES = 65536;
const TABLE_BYTES = 256 * 4;

/** The pixels of a batch before they are scaled. */
export interface RawImages {
  /** Image `i` of the batch, `rows·width` bytes. */
  read(i: number): Uint8Array;
  count: number;
  /** Rows of all planes of an image. */
  rows: number;
  /** Rows of a plane. */
  height: number;
  width: number;
  /** `[count, 3]`: whether to mirror, and how far to move right and down. */
  moves: Int16Array;
}

/** Pairs of rows to blend. */
export interface Blend {
  partners: Uint32Array;
  /** Weight of the row itself, 0..1. */
  share: number;
}

/** The functions of assembly/batch.ts. Each call overwrites the result of the previous one. */
class BatchMemory {
  // The initial size that the module declares; pages take physical memory when they are first written to.
  readonly #memory = new WebAssembly.Memory({ initial: 256 });
  readonly #exports = new WebAssembly.Instance(new WebAssembly.Module(simd), {
    env: { memory: this.#memory },
  }).exports as unknown as Exports;

  /** Scales images to 0..1, mirrors, moves and blends them. */
  images({ read, count, rows, height, width, moves }: RawImages, blend?: Blend): Float32Array {
    const size = rows * width;
    const planes = rows / height;
    const [table, to, raw, at, fills] = this.#allocate(
      TABLE_BYTES,
      count * size * 4,
      count * size,
      moves.byteLength,
      count * planes,
    );
    const bytes = new Uint8Array(this.#memory.buffer);
    bytes.fill(0, fills, fills! + count * planes);
    for (let i = 0; i < count; i++) {
      const image = read(i);
      bytes.set(image, raw! + i * size);
      const isMoved = moves[i * 3 + 1] !== 0 || moves[i * 3 + 2] !== 0;
      // Grey images are on black; images in colour have a background of their own.
      if (planes > 1 && isMoved) bytes.set(backgroundOf(image, { height, width }), fills! + i * planes);
    }
    bytes.set(new Uint8Array(moves.buffer), at);
    this.#exports.augment(raw!, to!, at!, fills!, count, rows, height, width, table!);
    return blend ? this.#blend(to!, count, size, blend) : this.#view(to!, count * size);
  }

  /** Blends rows, `[count, size]`. */
  blend(values: Float32Array, count: number, blend: Blend): Float32Array {
    const [from] = this.#allocate(values.byteLength);
    this.#view(from!, values.length).set(values);
    return this.#blend(from!, count, values.length / count, blend);
  }

  /** A dropout mask of `count` numbers; each is 0 with probability `rate`. */
  dropout(count: number, rate: number, random: Random): Float32Array {
    const [at, to] = this.#allocate(16, count * 4);
    const state = new Int32Array(this.#memory.buffer, at, 4);
    state.set(random.state);
    this.#exports.dropout(to!, count, at!, rate * 2 ** 32, 1 / (1 - rate));
    random.state = state;
    return this.#view(to!, count);
  }

  #blend(from: number, count: number, size: number, { partners, share }: Blend): Float32Array {
    const end = from + count * size * 4;
    const [at, to] = this.#allocate(end, count * 4, count * size * 4).slice(1);
    new Uint32Array(this.#memory.buffer, at, count).set(partners);
    this.#exports.blend(from, to!, at!, count, size, share);
    return this.#view(to!, count * size);
  }

  /** The addresses of consecutive blocks of memory. */
  #allocate(...sizes: number[]): number[] {
    let end = 0;
    const addresses = sizes.map((bytes) => {
      const start = end;
      end = Math.ceil((start + bytes) / 16) * 16;
      return start;
    });
    const missing = end - this.#memory.buffer.byteLength;
    if (missing > 0) this.#memory.grow(Math.ceil(missing / PAGE_BYTES));
    return addresses;
  }

  #view(address: number, length: number): Float32Array {
    return new Float32Array(this.#memory.buffer, address, length);
  }
}

/** The background of an image in colour, a byte for each plane. */
function backgroundOf(image: Uint8Array, size: { height: number; width: number }): number[] {
  const plane = size.height * size.width;
  return Array.from(
    { length: image.length / plane },
    (_, i) => borderMedian(image.subarray(i * plane, (i + 1) * plane), size),
  );
}

/** One instance for all callers, as it keeps nothing between two calls. */
export const batchMemory = new BatchMemory();
