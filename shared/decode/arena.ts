/**
 * The memory in which the decoders in WebAssembly run, one at a time.
 *
 * WebAssembly memory cannot shrink, and V8, which does not count it, frees that of an instance minutes after nobody uses
 * the instance any more. If each decoder had its own, they would soon have more than the 128 MB of a Cloudflare isolate.
 * So their programs import this one (`programs/build.ts`), and ask it when they want to know or change its size:
 *
 * - **One at a time.** A program stays as long as the pictures are of its kind. Before another one starts, the memory is
 *   filled with zeros, as if it were new; the same follows a failure, after which a program cannot be used again.
 * - **A ceiling.** Some bytes of a header can make a decoder ask for 700 MB. Above a limit that follows from the picture,
 *   its `malloc` gives null.
 * - **No growth over time.** The memory has what the largest picture has needed.
 *
 * @module
 */
import { InputError } from "../errors.ts";

/** Pages that a program has when it starts: room for its stack and its data. */
export const FIRST_PAGES = 17;
const PAGE_BYTES = 65_536;
/** The memory grows by a multiple of this, as each growth gives it a new buffer. */
const STEP_PAGES = 16;

const MiB = 1024 * 1024;
/** What a decoder needs for any picture: its stack, its tables and its buffers. */
const BASE_BYTES = 2 * MiB;
/**
 * Bytes a pixel on top of that. The most that honest files take is 10: three coefficients of 2 bytes in a progressive JPEG,
 * and the result.
 */
const BYTES_PER_PIXEL = 12;

/**
 * How much memory a decoder may take.
 *
 * @param length of the file, of which the decoder has two copies
 * @param pixels of the picture
 * @returns bytes
 */
export function memoryCeiling(length: number, pixels: number): number {
  return BASE_BYTES + 2 * length + BYTES_PER_PIXEL * pixels;
}

const memory = new WebAssembly.Memory({ initial: FIRST_PAGES });
/** The program that runs, or could go on. */
let current: Program<unknown> | undefined;
/** The pages that it has. */
let pages = FIRST_PAGES;
let ceiling = 0;
/** Whether it has been refused memory. */
let isShort = false;

/** @returns the number of pages before, or -1 if there cannot be so many more */
function grow(more: number): number {
  const before = pages, wanted = before + (more >>> 0);
  const missing = wanted - memory.buffer.byteLength / PAGE_BYTES;
  try {
    if (wanted * PAGE_BYTES > ceiling) throw new RangeError("Above the ceiling");
    if (missing > 0) memory.grow(Math.ceil(missing / STEP_PAGES) * STEP_PAGES);
  } catch {
    isShort = true;
    return -1;
  }
  pages = wanted;
  return before;
}

/** What every program imports. */
export const arena = {
  memory,
  /** Pages of the program that runs. */
  size: (): number => pages,
  grow,
} as const;

/**
 * Gives the program that runs so much memory, as Emscripten's `emscripten_resize_heap`.
 *
 * @returns whether it has them now
 */
export function resizeHeap(bytes: number): boolean {
  const more = Math.ceil((bytes >>> 0) / PAGE_BYTES) - pages;
  return more <= 0 || grow(more) >= 0;
}

/** A decoder that runs in the common memory. */
export class Program<T> {
  readonly #start: () => T;
  #instance: T | undefined;

  /**
   * Starts nothing yet.
   *
   * @param start makes an instance, which imports {@linkcode arena}
   */
  constructor(start: () => T) {
    this.#start = start;
  }

  /**
   * Decodes a picture.
   *
   * @param format the format's name, as in "Cannot decode the PNG"
   * @param most bytes of memory that the program may have
   * @param decode does the work, without waiting for anything; undefined if the file is broken
   * @returns undefined also if the program has failed
   * @throws {InputError} `too-large` if the program needs more memory
   */
  run<R>(format: string, most: number, decode: (instance: T) => R | undefined): R | undefined {
    for (;;) {
      ceiling = most;
      const isNew = current !== this;
      if (isNew) this.#enter();
      isShort = false;
      let result: R | undefined;
      try {
        result = decode(this.#instance!);
      } catch {
        // A trap, an exit or an exception of C++: its message is about the decoder, not about the picture.
        this.#leave();
      }
      if (result !== undefined || !isShort) return result;
      this.#leave();
      // Other pictures may have left gaps that are too small.
      if (isNew) throw tooLarge(format, most);
    }
  }

  #enter(): void {
    if (current) current.#leave();
    new Uint8Array(memory.buffer, 0, pages * PAGE_BYTES).fill(0);
    pages = FIRST_PAGES;
    this.#instance = this.#start();
    current = this;
  }

  #leave(): void {
    this.#instance = undefined;
    current = undefined;
  }
}

function tooLarge(format: string, most: number): InputError {
  return new InputError(
    "too-large",
    `Cannot decode the ${format} as it must take at most ${most} bytes of memory, which follow from its size`,
  );
}
