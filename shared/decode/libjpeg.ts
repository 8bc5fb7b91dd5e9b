/**
 * Runs libjpeg-turbo, compiled to WebAssembly (`programs/jpeg.c`), on Deno and on workerd. The program can reach nothing
 * but its memory in `arena.ts`.
 *
 * It decodes at full size or at 1/2, 1/4 or 1/8: an inverse DCT of 4×4, 2×2 or 1×1 samples instead of 8×8 uses the low
 * frequencies of each block only, which is a block-wise average (libjpeg calls this scaling by `scale_denom`).
 *
 * @module
 */
import type { Image, Size } from "../image.ts";
import { release } from "../release.ts";
import { type Arena, memoryCeiling, Program, type Turn } from "./arena.ts";
import { jpegWasm } from "./codecs.js";

/** The functions of `programs/jpeg.c`. */
interface Libjpeg {
  start(scale: number): void;
  feed(length: number): number;
  decode(): number;
  rows(): number;
  rows_length(): number;
}

/** What `decode` returns. A fourth status says that it has more to do. */
const NEEDS_INPUT = 0, HAS_ROWS = 2, CORRUPT = 3;

/** Bytes of the file that the program gets at a time. They take 1 to 3 ms. */
const CHUNK = 65_536;
/** The program keeps rows of the picture before and after their colours are converted, also if it has fewer. */
const MIN_ROWS = 16;

/** What is to be decoded. */
export interface JpegPicture {
  /** Pixels before scaling. */
  width: number;
  /** Pixels before scaling. */
  height: number;
  /** 1, 2, 4 or 8. */
  scale: number;
  /** 1 is grey, 3 is red, green and blue. */
  channels: 1 | 3;
  /** Bytes of the coefficients that the program has to keep; none for a file of one scan. */
  coefficients: number;
}

const libjpeg = new Program(({ imports }) =>
  new WebAssembly.Instance(jpegWasm, { arena: imports }).exports as unknown as Libjpeg
);

/**
 * Decodes a file whose structure has been checked.
 *
 * @param turn lets other events in, every few milliseconds
 * @param chunk bytes of the file that the program gets at a time, up to 65,536
 * @returns the picture as it is stored; undefined if its data is corrupt
 * @throws {InputError} `too-large` if the program needs more memory than follows from the size
 */
export async function decodeScaled(
  file: Uint8Array,
  picture: JpegPicture,
  turn?: Turn,
  chunk: number = CHUNK,
): Promise<Image | undefined> {
  const { width, height } = scaled(picture);
  const most = memoryCeiling(file.length, width * Math.max(height, MIN_ROWS)) + picture.coefficients;
  return await libjpeg.run(
    "JPEG",
    most,
    (instance, arena) => decode(instance, arena, file, picture, chunk),
    turn,
  );
}

function scaled({ width, height, scale }: JpegPicture): Size {
  return { width: Math.ceil(width / scale), height: Math.ceil(height / scale) };
}

function* decode(
  instance: Libjpeg,
  { memory }: Arena,
  file: Uint8Array,
  picture: JpegPicture,
  chunkLength: number,
): Generator<void, Image | undefined> {
  const size = scaled(picture), { scale, channels } = picture;
  const data = new Uint8Array(size.width * size.height * channels);
  instance.start(scale);
  for (let from = 0, to = 0;;) {
    const status = instance.decode();
    if (status === HAS_ROWS) {
      const rows = new Uint8Array(memory.buffer, instance.rows(), instance.rows_length());
      data.set(rows, to);
      to += rows.length;
      if (to === data.length) return { ...size, channels, data };
    } else if (status === NEEDS_INPUT && from < file.length) {
      const chunk = file.subarray(from, from + chunkLength);
      const at = instance.feed(chunk.length);
      new Uint8Array(memory.buffer, at, chunk.length).set(chunk);
      from += chunk.length;
    } else if (status === NEEDS_INPUT || status === CORRUPT) {
      release(data);
      return undefined;
    }
    yield;
  }
}
