/**
 * How long decoding a picture takes, estimated from its header.
 *
 * @module
 */
import { MAX_STORED_PIXELS, scaleOf, STORED_PIXEL_COST } from "./jpeg_layout.ts";
import type { PictureLimits } from "./limits.ts";

/** Starting a decoder. */
const FIXED_NANOS = 100_000;

/**
 * ns for what each kind of picture consists of, under Deno 2.9 on one core of an AMD EPYC of 2026 that other programs
 * share. They were chosen by hand; those of JPEGs were fitted to 128 pictures. The aim is that the costliest pictures take
 * at most 1.3 times their estimate, as far as a header can tell, and usual ones at least a third of it.
 * `deno task bench costly` prints how far that is true.
 *
 * - `pixels` are fitted into the model's input, after decoding.
 * - `samples` are a JPEG's before scaling: 3 for a pixel of colour, or 1.5 if colours have half the resolution; its
 *   sides are filled to whole blocks.
 * - `data` are a PNG's bytes when they are inflated, in `lines`; `file` are the bytes of the file, and `excess` those
 *   beyond `data` and `lines`, which only deflate blocks that hold next to nothing need.
 * - `alpha` are the bytes of a WebP's transparency; `file` are the other ones.
 */
export const NANOS = {
  png: { pixels: 16, data: 4, lines: 75, file: 26, excess: 64 },
  jpeg: { pixels: 28, samples: 1, file: 25 },
  progressiveJpeg: { pixels: 36, samples: 2, file: 38 },
  reducedJpeg: { pixels: 60, samples: 0.1, file: 22 },
  reducedProgressiveJpeg: { pixels: 9, samples: 12, file: 30 },
  dcOfJpeg: { pixels: 20, samples: 1.3, file: 10 },
  webp: { pixels: 36, file: 60 },
  transparentWebp: { pixels: 45, file: 50, alpha: 25 },
  losslessWebp: { pixels: 22, file: 17 },
} as const satisfies Record<string, Record<string, number>>;

/** What decides how long a picture takes. */
export interface PictureWork {
  /** Its format and how it is decoded. */
  kind: keyof typeof NANOS;
  /** How many there are of what {@linkcode NANOS} lists for the kind. */
  counts: Record<string, number>;
  /** Pixels that are taken from the budget. */
  spent: number;
}

/** PNG's colour types → samples a pixel. */
const SAMPLES: Record<number, number> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
/** Lines of an interlaced PNG are stored in seven passes, and most of them in two. */
const INTERLACED_LINES = 15 / 8;

/**
 * Estimates the time for decoding a picture and fitting it into a model's input.
 *
 * @param bytes the file, or its beginning
 * @param limits those of the decoder, which refuses larger pictures by their header; the budget is spent
 * @param length of the whole file
 * @returns µs; for what is refused or no picture, next to nothing
 */
export function pictureMicros(
  bytes: Uint8Array,
  limits: PictureLimits,
  length: number = bytes.length,
): number {
  const work = pictureWork(bytes, limits, length);
  return work && isDecoded(work, limits) ? microsOf(work) : FIXED_NANOS / 1000;
}

/**
 * What a picture's header says about the time that it takes; undefined if it is no picture.
 *
 * @param bytes the file, or its beginning
 * @param limits `shortSide` decides at which scale a JPEG is decoded
 * @param length of the whole file
 */
export function pictureWork(
  bytes: Uint8Array,
  limits: PictureLimits,
  length: number = bytes.length,
): PictureWork | undefined {
  return png(bytes, length) ?? jpeg(bytes, length, limits) ?? webp(bytes, length);
}

function microsOf({ kind, counts }: PictureWork): number {
  let nanos = FIXED_NANOS;
  for (const [name, each] of Object.entries(NANOS[kind])) nanos += each * counts[name]!;
  return nanos / 1000;
}

/** Whether the limits allow it; then the pixels are spent, as by the decoder. */
function isDecoded(work: PictureWork, limits: PictureLimits): boolean {
  const { counts, spent } = work, { maxPixels, budget } = limits;
  if (counts.pixels! > maxPixels || spent > (budget?.pixels ?? Number.MAX_VALUE)) return false;
  if (budget) budget.pixels -= spent;
  return true;
}

function png(bytes: Uint8Array, file: number): PictureWork | undefined {
  if (bytes.length < 33 || uint32(bytes, 0) !== 0x89504e47) return undefined;
  const height = uint32(bytes, 20), pixels = uint32(bytes, 16) * height;
  const data = pixels * (SAMPLES[bytes[25]!] ?? 4) * bytes[24]! / 8;
  const lines = bytes[28] === 1 ? INTERLACED_LINES * height : height;
  const excess = Math.max(0, file - data - lines);
  return { kind: "png", counts: { pixels, data, lines, file, excess }, spent: pixels };
}

function jpeg(bytes: Uint8Array, file: number, limits: PictureLimits): PictureWork | undefined {
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) return undefined;
  for (let at = 2; at + 10 < bytes.length && bytes[at] === 0xff;) {
    const marker = bytes[at + 1]!;
    if (marker === 0xff) at++;
    else if (marker >= 0xc0 && marker <= 0xc2) return jpegFrame(bytes.subarray(at), file, limits);
    else at += 2 + uint16(bytes, at + 2);
  }
  return undefined;
}

/** @param frame from its marker on (ITU-T T.81, section B.2.2) */
function jpegFrame(frame: Uint8Array, file: number, { shortSide }: PictureLimits): PictureWork {
  const isProgressive = frame[1] === 0xc2;
  const height = uint16(frame, 5), width = uint16(frame, 7), stored = width * height;
  const scale = scaleOf({ width, height }, shortSide);
  const pixels = Math.ceil(width / scale) * Math.ceil(height / scale);
  const samples = samplesOf(frame, width, height);
  const isTooLarge = scale > 1 && stored > MAX_STORED_PIXELS;
  const spent = isTooLarge ? Infinity : scale > 1 ? Math.max(pixels, stored * STORED_PIXEL_COST) : pixels;
  const kind = scale === 1
    ? isProgressive ? "progressiveJpeg" : "jpeg"
    : !isProgressive
    ? "reducedJpeg"
    : scale === 8
    ? "dcOfJpeg"
    : "reducedProgressiveJpeg";
  return { kind, counts: { pixels, samples, file }, spent };
}

/** Samples of all components, in whole units of blocks of 8×8. */
function samplesOf(frame: Uint8Array, width: number, height: number): number {
  let blocks = 0, across = 1, down = 1;
  for (let i = 0; i < frame[9]!; i++) {
    const factors = frame[11 + 3 * i] ?? 0x11;
    blocks += (factors >> 4) * (factors & 15);
    across = Math.max(across, factors >> 4);
    down = Math.max(down, factors & 15);
  }
  // The blocks of a single component are stored one by one.
  if (frame[9] === 1) blocks = across = down = 1;
  return 64 * blocks * Math.ceil(width / 8 / across) * Math.ceil(height / 8 / down);
}

function webp(bytes: Uint8Array, file: number): PictureWork | undefined {
  if (bytes.length < 30 || uint32(bytes, 0) !== 0x52494646 || uint32(bytes, 8) !== 0x57454250) {
    return undefined;
  }
  const [width, height] = webpSize(bytes);
  const pixels = width * height, { kind, alpha } = webpKind(bytes);
  return { kind, counts: { pixels, file: Math.max(0, file - alpha), alpha }, spent: pixels };
}

const LAST_LETTER_OF = { VP8: 0x20, VP8L: 0x4c, VP8X: 0x58 };

/** RFC 9649: what the last letter of the first chunk's name says. */
function webpSize(bytes: Uint8Array): [number, number] {
  const little = (at: number): number => bytes[at]! | bytes[at + 1]! << 8;
  const letter = bytes[15];
  if (letter === LAST_LETTER_OF.VP8X) {
    return [1 + (little(24) | bytes[26]! << 16), 1 + (little(27) | bytes[29]! << 16)];
  }
  if (letter !== LAST_LETTER_OF.VP8L) return [little(26) & 0x3fff, little(28) & 0x3fff];
  const bits = little(21) | little(23) << 16;
  return [1 + (bits & 0x3fff), 1 + (bits >>> 14 & 0x3fff)];
}

const ALPH = 0x414c5048, VP8 = 0x56503820;

interface WebpKind {
  kind: "webp" | "transparentWebp" | "losslessWebp";
  /** Bytes of the transparency. */
  alpha: number;
}

function webpKind(bytes: Uint8Array): WebpKind {
  // A profile may come before the picture; what cannot be seen is taken for the kind that takes longest.
  for (let at = 12; at + 8 <= bytes.length;) {
    const name = uint32(bytes, at);
    const length = bytes[at + 4]! | bytes[at + 5]! << 8 | bytes[at + 6]! << 16;
    if (name === VP8) return { kind: "webp", alpha: 0 };
    if (name === ALPH) return { kind: "transparentWebp", alpha: length };
    at += 8 + length + (length & 1);
  }
  return { kind: "losslessWebp", alpha: 0 };
}

function uint16(bytes: Uint8Array, at: number): number {
  return bytes[at]! << 8 | bytes[at + 1]!;
}

function uint32(bytes: Uint8Array, at: number): number {
  return (uint16(bytes, at) << 16 | uint16(bytes, at + 2)) >>> 0;
}
