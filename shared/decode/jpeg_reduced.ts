/**
 * Decodes JPEG at 1/2, 1/4 or 1/8 of its size. An inverse DCT of 4×4, 2×2 or 1×1 samples instead of 8×8 uses the
 * low frequencies of each block only, which is a block-wise average (libjpeg calls this scaling by `scale_denom`).
 * A photograph of 12 megapixels takes 30 to 70 ms and 4 to 10 MB this way.
 *
 * The decoder is the Rust crate `jpeg-decoder`, compiled to WebAssembly by ImageScript. It imports nothing but its memory
 * (`arena.ts`), so it cannot reach anything. It fills in missing data silently; {@linkcode PADDING} makes it fail instead.
 *
 * @module
 */
import { InputError } from "../errors.ts";
import type { Image } from "../image.ts";
import { memoryCeiling, Program } from "./arena.ts";
import { reducedJpegWasm } from "./codecs.js";
import { toSequential } from "./jpeg_dc.ts";
import type { JpegLayout } from "./jpeg_layout.ts";
import type { PictureLimits } from "./limits.ts";

/** The program's functions (https://github.com/matmen/ImageScript, `wasm/node/jpeg.js`). */
interface Decoder {
  walloc(bytes: number): number;
  /** Takes over the bytes and frees them; the scale is chosen to give at least this size. */
  decode(pointer: number, length: number, width: number, height: number): number;
  decode_width(image: number): number;
  decode_height(image: number): number;
  /** 0 is grey, 1 is red, green and blue. */
  decode_format(image: number): number;
  /** Sets what `wlen` gives. */
  decode_buffer(image: number): number;
  wlen(): number;
  decode_free(image: number): void;
}

/** Smaller results of `decode` are error codes. */
const FIRST_POINTER = 2;

/**
 * What follows the data of each scan: 128 one-bits, with the zero byte that T.81 wants after 0xff. A decoder that
 * has used up the data finds a code of ones, which no table may contain, and fails.
 */
const PADDING = new Uint8Array(32).map((_, i) => i % 2 === 0 ? 0xff : 0);

/** A coefficient takes 2 bytes, and a block has 64. */
const BLOCK_BYTES = 128;
/**
 * How much the coefficients of a progressive file may take, as a factor of the pixels that a picture may have. At full
 * size they take 6 at most, and the picture itself 4.
 */
const COEFFICIENT_BYTES_PER_PIXEL = 10;

const program = new Program(({ imports }) =>
  new WebAssembly.Instance(reducedJpegWasm, { arena: imports }).exports as unknown as Decoder
);

/**
 * Decodes at the scale that the layout says.
 *
 * @param limits bounds the memory of progressive files; its turns are taken while DC coefficients are read
 * @returns red, green and blue, or grey, as stored; undefined if the data is corrupt
 * @throws {InputError} `too-large` if the file needs too much memory
 */
export async function decodeReducedJpeg(
  bytes: Uint8Array,
  layout: JpegLayout,
  { maxPixels, turn }: PictureLimits,
): Promise<Image | undefined> {
  const coefficients = layout.progressive && !isDcEnough(layout) ? coefficientBytes(layout, maxPixels) : 0;
  const width = Math.ceil(layout.width / layout.scale), height = Math.ceil(layout.height / layout.scale);
  const parts = await decodedParts(bytes, layout, turn);
  if (!parts) return undefined;
  const most = memoryCeiling(bytes.length, width * height) + coefficients;
  return await program.run(
    "JPEG",
    most,
    (decoder, { memory }) => decode(decoder, memory, parts, width, height),
  );
}

function coefficientBytes({ components }: JpegLayout, maxPixels: number): number {
  const size = BLOCK_BYTES * components.reduce((sum, { columns, rows }) => sum + columns * rows, 0);
  const most = COEFFICIENT_BYTES_PER_PIXEL * maxPixels;
  if (size <= most) return size;
  throw new InputError(
    "too-large",
    `Cannot decode the JPEG as the coefficients of a progressive file must take at most ${most} bytes: ` +
      `current value is ${size}`,
    { hint: "Send a smaller picture, or one that is not progressive" },
  );
}

// deno-lint-ignore require-yield -- in one piece
function* decode(
  decoder: Decoder,
  memory: WebAssembly.Memory,
  parts: Uint8Array[],
  width: number,
  height: number,
): Generator<void, Image | undefined> {
  const size = parts.reduce((sum, { length }) => sum + length, 0);
  const file = decoder.walloc(size);
  const copy = new Uint8Array(memory.buffer, file, size);
  let at = 0;
  for (const part of parts) {
    copy.set(part, at);
    at += part.length;
  }
  const image = decoder.decode(file, size, width, height);
  if (image >= 0 && image < FIRST_POINTER) return undefined;
  const channels = decoder.decode_format(image) === 0 ? 1 : 3;
  const pixels = decoder.decode_buffer(image), length = decoder.wlen();
  const fits = decoder.decode_width(image) === width && decoder.decode_height(image) === height &&
    length === width * height * channels;
  const data = fits ? new Uint8Array(memory.buffer, pixels, length).slice() : undefined;
  decoder.decode_free(image);
  return data && { width, height, channels, data };
}

/** The parts of the file that the picture depends on; undefined if they are corrupt. */
async function decodedParts(
  bytes: Uint8Array,
  layout: JpegLayout,
  turn?: () => Promise<void>,
): Promise<Uint8Array[] | undefined> {
  const signature = bytes.subarray(0, 2), end = bytes.subarray(layout.end - 2, layout.end);
  if (isDcEnough(layout)) {
    const parts = await toSequential(bytes, layout, turn);
    return parts && [signature, ...parts, PADDING, end];
  }
  const segments = layout.segments.flatMap(({ start, end, scan }) => {
    const segment = bytes.subarray(start, end);
    return scan ? [segment, PADDING] : [segment];
  });
  return [signature, ...segments];
}

function isDcEnough({ progressive, scale }: JpegLayout): boolean {
  return progressive && scale === 8;
}
