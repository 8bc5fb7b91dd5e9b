/**
 * Writes PNG files (https://www.w3.org/TR/png-3/), for pixels that the project has itself: 8 bits, grey or RGB.
 *
 * @module
 */
import { InputError } from "../errors.ts";

/** Pixels of 8 bits. */
export interface Pixels {
  /** 1 is grey; 3 is red, green and blue. */
  channels: number;
  /** Pixels. */
  height: number;
  /** Pixels. */
  width: number;
  /** `[channels, height, width]`, row-major */
  data: Uint8Array;
}

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
const COLOUR_TYPES: Readonly<Record<number, number>> = { 1: 0, 3: 2 };

/**
 * Encodes an image.
 *
 * @throws {InputError} `unsupported` if it has neither one nor three channels
 */
export async function encodePng({ channels, height, width, data }: Pixels): Promise<Uint8Array<ArrayBuffer>> {
  const colourType = COLOUR_TYPES[channels];
  if (colourType === undefined) {
    throw new InputError(
      "unsupported",
      `Cannot write the PNG as the image must be grey or RGB: current number of channels is ${channels}`,
    );
  }
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, colourType], 8);
  // Each line begins with its filter, 0 for none.
  const lines = new Uint8Array(height * (1 + width * channels));
  for (let y = 0; y < height; y++) {
    const start = y * (1 + width * channels) + 1;
    for (let i = 0; i < width * channels; i++) {
      const channel = i % channels, x = Math.floor(i / channels);
      lines[start + i] = data[(channel * height + y) * width + x]!;
    }
  }
  const deflated = await new Response(
    new Blob([lines]).stream().pipeThrough(new CompressionStream("deflate")),
  ).bytes();
  const parts = [SIGNATURE, chunk("IHDR", header), chunk("IDAT", deflated), chunk("IEND", new Uint8Array())];
  return await new Blob(parts).bytes();
}

function chunk(type: string, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(12 + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  bytes.set(new TextEncoder().encode(type), 4);
  bytes.set(data, 8);
  view.setUint32(8 + data.length, crc32(bytes.subarray(4, 8 + data.length)));
  return bytes;
}

/** https://www.w3.org/TR/png-3/#D-CRCAppendix */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}
