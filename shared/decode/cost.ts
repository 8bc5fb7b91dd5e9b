/**
 * How long decoding a picture takes, estimated from its header.
 *
 * @module
 */

/** Starting a decoder. */
const FIXED_MICROS = 100;
/** Decoding and fitting, for each pixel: PNG for each byte of the inflated data, JPEG and WebP for each pixel. */
const PNG_BYTE_MICROS = 0.02,
  JPEG_PIXEL_MICROS = 0.04,
  JPEG_STORED_PIXEL_MICROS = 0.006,
  WEBP_PIXEL_MICROS = 0.1;
/** Decompressing, for each byte of the file. */
const FILE_BYTE_MICROS = 0.015;

/** Pixels above which JPEGs are mostly decoded at reduced scale. */
const REDUCED_PIXELS = 2_097_152;

/** PNG's colour types → samples a pixel. */
const SAMPLES: Record<number, number> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

/**
 * Estimates the time for decoding a picture and fitting it into a model's input.
 *
 * @param bytes the file, or its beginning
 * @param length of the whole file
 * @returns µs; for what is no picture, next to nothing
 */
export function pictureMicros(bytes: Uint8Array, length: number = bytes.length): number {
  return FIXED_MICROS + FILE_BYTE_MICROS * length +
    (pngMicros(bytes) ?? jpegMicros(bytes) ?? webpMicros(bytes) ?? 0);
}

function pngMicros(bytes: Uint8Array): number | undefined {
  if (bytes.length < 33 || uint32(bytes, 0) !== 0x89504e47) return undefined;
  const pixels = uint32(bytes, 16) * uint32(bytes, 20);
  const depth = bytes[24]!, samples = SAMPLES[bytes[25]!] ?? 4;
  // Whatever the file has, the result has up to four channels.
  return PNG_BYTE_MICROS * pixels * Math.max(2, samples * depth / 8);
}

function jpegMicros(bytes: Uint8Array): number | undefined {
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) return undefined;
  for (let at = 2; at + 9 < bytes.length;) {
    if (bytes[at] !== 0xff) break;
    const marker = bytes[at + 1]!;
    if (marker === 0xff) at++;
    else if (marker >= 0xc0 && marker <= 0xc2) {
      const pixels = uint16(bytes, at + 5) * uint16(bytes, at + 7);
      return pixels > REDUCED_PIXELS ? JPEG_STORED_PIXEL_MICROS * pixels : JPEG_PIXEL_MICROS * pixels;
    } else at += 2 + uint16(bytes, at + 2);
  }
  return 0;
}

function webpMicros(bytes: Uint8Array): number | undefined {
  if (bytes.length < 30 || uint32(bytes, 0) !== 0x52494646 || uint32(bytes, 8) !== 0x57454250) {
    return undefined;
  }
  const kind = bytes[15]!, little = (at: number): number => bytes[at]! | bytes[at + 1]! << 8;
  let width: number, height: number;
  if (kind === 0x58) {
    // VP8X
    width = 1 + (little(24) | bytes[26]! << 16);
    height = 1 + (little(27) | bytes[29]! << 16);
  } else if (kind === 0x4c) {
    // VP8L
    const bits = little(21) | little(23) << 16;
    width = 1 + (bits & 0x3fff);
    height = 1 + (bits >>> 14 & 0x3fff);
  } else {
    width = little(26) & 0x3fff;
    height = little(28) & 0x3fff;
  }
  return WEBP_PIXEL_MICROS * width * height;
}

function uint16(bytes: Uint8Array, at: number): number {
  return bytes[at]! << 8 | bytes[at + 1]!;
}

function uint32(bytes: Uint8Array, at: number): number {
  return (uint16(bytes, at) << 16 | uint16(bytes, at + 2)) >>> 0;
}
