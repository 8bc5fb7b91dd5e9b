/**
 * How long decoding a picture takes, estimated from its header.
 *
 * @module
 */
import { MAX_STORED_PIXELS, STORED_PIXEL_COST } from "./jpeg_layout.ts";
import type { PictureLimits } from "./limits.ts";

/** Starting a decoder. */
const FIXED_MICROS = 100;
/** Fitting a decoded picture into a model's input, for each of its pixels. */
const FIT_MICROS = 0.02;
/** For each byte of the inflated data and of the file, and for each line. */
const PNG_DATA_MICROS = 0.008, PNG_FILE_MICROS = 0.006, PNG_LINE_MICROS = 0.05;
/** For each pixel at full size, for each stored pixel at reduced size, and for each byte of the file. */
const JPEG_MICROS = 0.015, JPEG_STORED_MICROS = 0.002, JPEG_FILE_MICROS = 0.018;
/** For each pixel, and for each byte of the file. */
const WEBP_MICROS = 0.02, WEBP_FILE_MICROS = 0.018;

/** Pixels above which JPEGs are decoded at reduced scale. */
const REDUCED_PIXELS = 2_097_152;

/** PNG's colour types → samples a pixel. */
const SAMPLES: Record<number, number> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

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
  const estimate = png(bytes, length) ?? jpeg(bytes, length, limits) ?? webp(bytes, length);
  return FIXED_MICROS + (estimate && isDecoded(estimate.pixels, limits) ? estimate.micros : 0);
}

/** What a decoder that accepts the picture spends. */
interface Estimate {
  micros: number;
  /** Of the limits. */
  pixels: number;
}

/** Whether the limits allow it; then the pixels are spent, as by the decoder. */
function isDecoded(pixels: number, { maxPixels, budget }: PictureLimits): boolean {
  if (pixels > maxPixels || pixels > (budget?.pixels ?? Infinity)) return false;
  if (budget) budget.pixels -= pixels;
  return true;
}

function png(bytes: Uint8Array, length: number): Estimate | undefined {
  if (bytes.length < 33 || uint32(bytes, 0) !== 0x89504e47) return undefined;
  const height = uint32(bytes, 20), pixels = uint32(bytes, 16) * height;
  const depth = bytes[24]!, samples = SAMPLES[bytes[25]!] ?? 4;
  const micros = pixels * (FIT_MICROS + PNG_DATA_MICROS * samples * depth / 8) +
    PNG_LINE_MICROS * height + PNG_FILE_MICROS * length;
  return { micros, pixels };
}

function jpeg(bytes: Uint8Array, length: number, { maxPixels }: PictureLimits): Estimate | undefined {
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) return undefined;
  for (let at = 2; at + 9 < bytes.length && bytes[at] === 0xff;) {
    const marker = bytes[at + 1]!;
    if (marker === 0xff) at++;
    else if (marker >= 0xc0 && marker <= 0xc2) {
      const pixels = uint16(bytes, at + 5) * uint16(bytes, at + 7);
      const isReduced = pixels > REDUCED_PIXELS && pixels <= MAX_STORED_PIXELS;
      const pixelMicros = isReduced ? JPEG_STORED_MICROS : JPEG_MICROS + FIT_MICROS;
      return {
        micros: pixelMicros * pixels + JPEG_FILE_MICROS * length,
        pixels: isReduced ? Math.min(maxPixels, pixels * STORED_PIXEL_COST) : pixels,
      };
    } else at += 2 + uint16(bytes, at + 2);
  }
  return undefined;
}

function webp(bytes: Uint8Array, length: number): Estimate | undefined {
  if (bytes.length < 30 || uint32(bytes, 0) !== 0x52494646 || uint32(bytes, 8) !== 0x57454250) {
    return undefined;
  }
  const [width, height] = webpSize(bytes);
  const pixels = width * height;
  return { micros: (WEBP_MICROS + FIT_MICROS) * pixels + WEBP_FILE_MICROS * length, pixels };
}

/** RFC 9649: what the last letter of the first chunk's name says. */
function webpSize(bytes: Uint8Array): [number, number] {
  const little = (at: number): number => bytes[at]! | bytes[at + 1]! << 8;
  if (bytes[15] === 0x58) return [1 + (little(24) | bytes[26]! << 16), 1 + (little(27) | bytes[29]! << 16)];
  if (bytes[15] !== 0x4c) return [little(26) & 0x3fff, little(28) & 0x3fff];
  const bits = little(21) | little(23) << 16;
  return [1 + (bits & 0x3fff), 1 + (bits >>> 14 & 0x3fff)];
}

function uint16(bytes: Uint8Array, at: number): number {
  return bytes[at]! << 8 | bytes[at + 1]!;
}

function uint32(bytes: Uint8Array, at: number): number {
  return (uint16(bytes, at) << 16 | uint16(bytes, at + 2)) >>> 0;
}
