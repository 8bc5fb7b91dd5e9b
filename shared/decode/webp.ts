/**
 * Decodes WebP files from untrusted sources (RFC 9649). libwebp does the work. Before that, the file's chunks are
 * checked here and the size is read from the headers; there can be two, which must agree.
 *
 * Lossy, lossless and transparent pictures are read. Animations are rejected: the first frame need not show what
 * the animation does. Unlike in JPEG, EXIF is ignored, as browsers do.
 *
 * @module
 */
import { InputError } from "../errors.ts";
import type { Image } from "../image.ts";
import { decodeRgba } from "./libwebp.ts";
import { type PictureLimits, spendPixels } from "./limits.ts";

// A picture has up to six: header, profile, transparency, pixels, EXIF, XMP.
const MAX_CHUNKS = 64;
const ANIMATED = 0x02;

/**
 * Decodes a WebP.
 *
 * @returns red, green, blue and alpha
 * @throws {InputError} `invalid-format` if the bytes are not a WebP file, or a broken one, `unsupported` if it is an
 * animation
 * @throws {InputError} `too-large` if the picture has too many pixels
 */
export async function decodeWebp(bytes: Uint8Array, limits: PictureLimits): Promise<Image> {
  const { width, height, end } = readChunks(bytes);
  spendPixels("WebP", { width, height }, limits);
  const data = await decodeRgba(bytes.subarray(0, end), { width, height }, limits.turn);
  if (!data) throw broken("its data is corrupt");
  return { width, height, channels: 4, data };
}

function broken(why: string): InputError {
  return new InputError("invalid-format", `Cannot decode the WebP as ${why}`);
}

function animated(): InputError {
  return new InputError(
    "unsupported",
    "Cannot decode the WebP as it is an animation: it must be a still image",
  );
}

interface Size {
  width: number;
  height: number;
}

function readChunks(bytes: Uint8Array): Size & { end: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const name = (at: number): string => String.fromCharCode(...bytes.subarray(at, at + 4));
  if (bytes.length < 12 || name(0) !== "RIFF" || name(8) !== "WEBP") {
    throw broken("it does not start with the WebP signature");
  }
  const end = 8 + view.getUint32(4, true);
  if (end > bytes.length) throw broken("it is truncated");
  let canvas: Size | undefined, frame: Size | undefined;
  for (let at = 12, count = 0; at + 8 <= end; count++) {
    if (count === MAX_CHUNKS) throw broken(`it has more than ${MAX_CHUNKS} chunks`);
    const type = name(at);
    const length = view.getUint32(at + 4, true);
    const start = at + 8;
    if (start + length > end) throw broken(`chunk ${JSON.stringify(type)} is truncated`);
    const content = bytes.subarray(start, start + length);
    if (type === "VP8X") {
      if (count > 0) throw broken("its VP8X chunk must come first");
      canvas = readCanvas(content);
    } else if (type === "ANIM" || type === "ANMF") throw animated();
    else if (type === "VP8 " || type === "VP8L") {
      if (frame) throw broken("it has more than one picture");
      frame = type === "VP8 " ? readLossy(content) : readLossless(content);
    }
    at = start + length + (length & 1);
  }
  if (!frame) throw broken("it has no picture");
  if (canvas && (canvas.width !== frame.width || canvas.height !== frame.height)) {
    throw broken(
      `its canvas and its picture must have one size: current sizes are ${canvas.width}x${canvas.height} and ` +
        `${frame.width}x${frame.height}`,
    );
  }
  return { ...frame, end };
}

function readCanvas(chunk: Uint8Array): Size {
  if (chunk.length < 10) throw broken("its header is truncated");
  if (chunk[0]! & ANIMATED) throw animated();
  const side = (at: number): number => 1 + (chunk[at]! | chunk[at + 1]! << 8 | chunk[at + 2]! << 16);
  return { width: side(4), height: side(7) };
}

/** RFC 6386, section 9.1. */
function readLossy(chunk: Uint8Array): Size {
  if (chunk.length < 10) throw broken("its header is truncated");
  const isKeyFrame = (chunk[0]! & 1) === 0;
  if (!isKeyFrame || chunk[3] !== 0x9d || chunk[4] !== 0x01 || chunk[5] !== 0x2a) {
    throw broken("its VP8 chunk does not start with a key frame");
  }
  const width = (chunk[6]! | chunk[7]! << 8) & 0x3fff, height = (chunk[8]! | chunk[9]! << 8) & 0x3fff;
  if (width === 0 || height === 0) {
    throw broken(`its sides must be in 1..16383: current size is ${width}x${height}`);
  }
  return { width, height };
}

/** RFC 9649, section 3.4. */
function readLossless(chunk: Uint8Array): Size {
  if (chunk.length < 5) throw broken("its header is truncated");
  const bits = chunk[1]! | chunk[2]! << 8 | chunk[3]! << 16 | chunk[4]! << 24;
  if (chunk[0] !== 0x2f || bits >>> 29 !== 0) {
    throw broken("its VP8L chunk does not start with its signature");
  }
  return { width: 1 + (bits & 0x3fff), height: 1 + (bits >>> 14 & 0x3fff) };
}
