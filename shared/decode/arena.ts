/**
 * The memories in which the decoders in WebAssembly run.
 *
 * WebAssembly memory cannot shrink, and V8, which does not count it, frees that of an instance minutes after nobody uses
 * the instance any more. If each decoder had its own, they would soon have more than the 128 MB of a Cloudflare isolate.
 * So their programs import one of these (`programs/build.ts`), and ask it when they want to know or change its size:
 *
 * - **One picture at a time.** A program stays as long as the pictures are of its kind. Before another one starts, the
 *   memory is filled with zeros, as if it were new; the same follows a failure, after which a program cannot be used again.
 * - **A ceiling.** Some bytes of a header can make a decoder ask for 700 MB. Above a limit that follows from the picture,
 *   its `malloc` gives null.
 * - **No growth over time.** The memory has what the largest picture has needed.
 *
 * A large picture is decoded in pieces, between which other events are let in. There are two memories, so that small
 * pictures, which need no pieces, do not wait for it.
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
/** Bytes a pixel on top of that. The most that honest files take is 6: the samples of a lossless WebP and its transforms. */
const BYTES_PER_PIXEL = 8;
/** Pictures whose decoder may take no more than this are decoded in the small memory: up to 130,000 pixels. */
const SMALL_BYTES = 3 * MiB;

/**
 * How long those that wait for the large memory sleep, in ms. They do not wait for a promise of the picture before: workerd
 * may drop its request, and then the promise never settles.
 */
const SLEEP_MS = 2;
/** workerd may drop a request between two pieces. Without a piece for so long, in ms, another picture gets the memory. */
const LOST_MS = 10_000;

/**
 * How much memory a decoder may take.
 *
 * @param length of the file, if the decoder has a copy of it
 * @param pixels of the picture
 * @returns bytes
 */
export function memoryCeiling(length: number, pixels: number): number {
  return BASE_BYTES + length + BYTES_PER_PIXEL * pixels;
}

/** Lets other events in. */
export type Turn = () => Promise<void>;

/**
 * Decodes a picture in pieces of work, with a `yield` between them. It leaves the program ready for the next picture if it
 * does not throw.
 *
 * @param instance of the program
 * @param arena in which it runs
 * @returns undefined if the file is broken
 */
export type Decode<T, R> = (instance: T, arena: Arena) => Generator<void, R | undefined, void>;

/** The decoding of one picture. */
interface Run {
  /** Bytes that it may take. */
  ceiling: number;
  /** Whether it has been refused memory. */
  isShort: boolean;
  /** When its last piece ended, in ms. */
  since: number;
}

/** A memory, and the program that runs in it. */
export class Arena {
  /** Programs write into it, and decoders read pictures from it. */
  readonly memory: WebAssembly.Memory = new WebAssembly.Memory({ initial: FIRST_PAGES });
  /** What programs import as `arena`. */
  readonly imports: { memory: WebAssembly.Memory; size: () => number; grow: (more: number) => number } = {
    memory: this.memory,
    size: () => this.#pages,
    grow: (more) => this.#grow(more),
  };
  /** The program that runs, or could go on. */
  #program: Program<unknown> | undefined;
  #instance: unknown;
  /** The pages that it has. */
  #pages = FIRST_PAGES;
  /** The last picture. */
  #run: Run = { ceiling: 0, isShort: false, since: 0 };
  /** The picture of which some pieces are left. */
  #unfinished: Run | undefined;
  readonly #now: () => number;

  /**
   * Makes an empty memory.
   *
   * @param now the time in ms, on a clock that never goes back
   */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** As {@linkcode Program.run}. */
  async run<T, R>(
    program: Program<T>,
    format: string,
    most: number,
    decode: Decode<T, R>,
    turn?: Turn,
  ): Promise<R | undefined> {
    for (;;) {
      while (this.#isTaken()) await sleep();
      const isNew = this.#program !== program;
      if (isNew) this.#enter(program);
      const run = this.#run = { ceiling: most, isShort: false, since: this.#now() };
      let result: R | undefined;
      try {
        const work = decode(this.#instance as T, this);
        let piece = work.next();
        while (!piece.done) {
          if (turn) {
            run.since = this.#now();
            this.#unfinished = run;
            await turn();
            if (this.#unfinished !== run) throw new Lost();
          }
          piece = work.next();
        }
        result = piece.value;
      } catch (error) {
        if (error instanceof Lost) throw error;
        // A trap: its message is about the decoder, not about the picture.
        this.#leave();
      }
      this.#unfinished = undefined;
      if (result !== undefined || !run.isShort) return result;
      this.#leave();
      // Other pictures may have left gaps that are too small.
      if (isNew) throw tooLarge(format, most);
    }
  }

  #isTaken(): boolean {
    if (!this.#unfinished) return false;
    if (this.#now() - this.#unfinished.since < LOST_MS) return true;
    this.#unfinished = undefined;
    this.#leave();
    return false;
  }

  #enter(program: Program<unknown>): void {
    this.#leave();
    new Uint8Array(this.memory.buffer, 0, this.#pages * PAGE_BYTES).fill(0);
    this.#pages = FIRST_PAGES;
    this.#instance = program.start(this);
    this.#program = program;
  }

  #leave(): void {
    this.#instance = undefined;
    this.#program = undefined;
  }

  /** @returns the number of pages before, or -1 if there cannot be so many more */
  #grow(more: number): number {
    const before = this.#pages, wanted = before + (more >>> 0);
    const missing = wanted - this.memory.buffer.byteLength / PAGE_BYTES;
    try {
      if (wanted * PAGE_BYTES > this.#run.ceiling) throw new RangeError("Above the ceiling");
      if (missing > 0) this.memory.grow(Math.ceil(missing / STEP_PAGES) * STEP_PAGES);
    } catch {
      this.#run.isShort = true;
      return -1;
    }
    this.#pages = wanted;
    return before;
  }
}

const small = new Arena(), large = new Arena();

/** A decoder. */
export class Program<T> {
  /** Makes an instance, which imports the arena. */
  readonly start: (arena: Arena) => T;

  /**
   * Starts nothing yet.
   *
   * @param start makes an instance, which imports the arena
   */
  constructor(start: (arena: Arena) => T) {
    this.start = start;
  }

  /**
   * Decodes a picture. Large ones wait for each other.
   *
   * @param format the format's name, as in "Cannot decode the PNG"
   * @param most bytes of memory that the program may have
   * @param decode does the work
   * @param turn lets other events in between the pieces; small pictures do not need it
   * @returns undefined also if the program has failed
   * @throws {InputError} `too-large` if the program needs more memory
   */
  run<R>(format: string, most: number, decode: Decode<T, R>, turn?: Turn): Promise<R | undefined> {
    if (most <= SMALL_BYTES) return small.run(this, format, most, decode);
    return large.run(this, format, most, decode, turn);
  }
}

/** After the request had been dropped, another picture got the memory. */
class Lost extends Error {
  override readonly message = `The decoder did not go on for ${LOST_MS} ms`;
}

async function sleep(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, SLEEP_MS));
}

function tooLarge(format: string, most: number): InputError {
  return new InputError(
    "too-large",
    `Cannot decode the ${format} as it must take at most ${most} bytes of memory, which follow from its size`,
  );
}
