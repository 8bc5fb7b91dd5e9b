/**
 * Runs libwebp, compiled to WebAssembly (`programs/webp.c`), on Deno and on workerd. The program can reach nothing but its
 * memory in `arena.ts`.
 *
 * @module
 */
import type { Size } from "../image.ts";
import { type Arena, memoryCeiling, Program, type Turn } from "./arena.ts";
import { webpWasm } from "./codecs.js";

/** The functions of `programs/webp.c`. */
interface Libwebp {
  malloc(bytes: number): number;
  free(pointer: number): void;
  start(file: number, length: number, rows: number): number;
  decode(): number;
  pixels(): number;
  width(): number;
  height(): number;
  rows(): number;
  finish(): void;
}

/** Statuses of libwebp. The others are errors. */
const OK = 0, SUSPENDED = 5;

/**
 * Pixels that are decoded in one piece, rounded up to 16 rows. They take 1 to 5 ms: a small request waits for several
 * pieces, as it needs a turn for its connection, its head, its body and the model.
 */
const PIECE = 32 * 1024;
/** The decoder keeps rows of the picture, also if it has fewer. */
const MIN_ROWS = 32;

const libwebp = new Program(({ imports }) =>
  new WebAssembly.Instance(webpWasm, { arena: imports }).exports as unknown as Libwebp
);

/**
 * Decodes a picture whose header has been checked.
 *
 * @param size as the header says; it sets how much memory the decoder may take
 * @param turn lets other events in between pieces of the work
 * @param piece pixels that are decoded in one piece, at least a row
 * @returns red, green, blue and alpha, `[height, width, 4]`; undefined if the bytes cannot be decoded
 * @throws {InputError} `too-large` if the decoder needs more memory
 */
export async function decodeRgba(
  bytes: Uint8Array,
  size: Size,
  turn?: Turn,
  piece: number = PIECE,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const most = memoryCeiling(bytes.length, size.width * Math.max(size.height, MIN_ROWS));
  return await libwebp.run(
    "WebP",
    most,
    (instance, arena) => decode(instance, arena, bytes, size, piece),
    turn,
  );
}

function* decode(
  instance: Libwebp,
  { memory }: Arena,
  bytes: Uint8Array,
  { width, height }: Size,
  piece: number,
): Generator<void, Uint8Array<ArrayBuffer> | undefined> {
  const file = instance.malloc(bytes.length);
  if (file === 0) return undefined;
  new Uint8Array(memory.buffer).set(bytes, file);
  const rgba = new Uint8Array(4 * width * height);
  let status = instance.start(file, bytes.length, Math.min(Math.ceil(piece / width), height)), done = 0;
  const fits = instance.width() === width && instance.height() === height;
  while (fits && status === SUSPENDED) {
    yield;
    status = instance.decode();
    const rows = new Uint8Array(memory.buffer, instance.pixels(), 4 * width * instance.rows());
    rgba.set(rows, done);
    done += rows.length;
  }
  instance.finish();
  instance.free(file);
  return done === rgba.length && status === OK ? rgba : undefined;
}
