/**
 * Writes PNG files of every legal kind, and broken ones, for the tests of the decoder. Compression is
 * node:zlib's; all else follows https://www.w3.org/TR/png-3/ and shares nothing with the decoder.
 *
 * @module
 */
import { concat } from "../../shared/concat.ts";
import { crc32, deflateSync } from "node:zlib";

/** What to write. */
export interface PngSource {
  width: number;
  height: number;
  /** Bits a sample. */
  depth: number;
  colour: number;
  interlaced: boolean;
  /** Filter type of each line, in 0..4, used in turn. */
  filters: number[];
  /** The sample at a place, in 0..2^depth - 1. */
  sample: (x: number, y: number, channel: number) => number;
  palette?: Uint8Array;
  transparency?: Uint8Array;
}

/** Colour type → samples a pixel. */
export const SAMPLES: Record<number, number> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

/** The first column and line of each pass, and the steps from there. */
export const ADAM7 = [[0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [
  0,
  1,
  1,
  2,
]];

/** Encodes a picture. */
export function encodePng(source: PngSource): Uint8Array<ArrayBuffer> {
  const { palette, transparency } = source;
  return pngFile(
    ["IHDR", headerOf(source)],
    ...(palette ? [["PLTE", palette] as const] : []),
    ...(transparency ? [["tRNS", transparency] as const] : []),
    ["IDAT", deflateSync(scanlines(source))],
    ["IEND", new Uint8Array()],
  );
}

/** Encodes a grey picture of 60×40 pixels with 8 bits. */
export function encodeGreyPng(sample: (x: number, y: number) => number): Uint8Array<ArrayBuffer> {
  return encodePng({ width: 60, height: 40, depth: 8, colour: 0, interlaced: false, filters: [0], sample });
}

/** A PNG file of these chunks. */
export function pngFile(...chunks: (readonly [type: string, data: Uint8Array])[]): Uint8Array<ArrayBuffer> {
  const parts = [Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)];
  for (const [type, data] of chunks) {
    const chunk = new Uint8Array(12 + data.length);
    const view = new DataView(chunk.buffer);
    view.setUint32(0, data.length);
    chunk.set(new TextEncoder().encode(type), 4);
    chunk.set(data, 8);
    view.setUint32(8 + data.length, crc32(chunk.subarray(4, 8 + data.length)));
    parts.push(chunk);
  }
  return concat(parts);
}

/** The content of `IHDR`. */
export function headerOf(
  { width, height, depth, colour, interlaced }: Pick<
    PngSource,
    "width" | "height" | "depth" | "colour" | "interlaced"
  >,
): Uint8Array {
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([depth, colour, 0, 0, Number(interlaced)], 8);
  return header;
}

/** The bytes that are compressed into `IDAT`. */
export function scanlines(source: PngSource): Uint8Array {
  const { width, height, depth, filters, sample } = source;
  const samples = SAMPLES[source.colour]!;
  const pixel = Math.max(1, depth * samples / 8);
  const lines: Uint8Array<ArrayBuffer>[] = [];
  for (const [x0, y0, dx, dy] of source.interlaced ? ADAM7 : [[0, 0, 1, 1]]) {
    let above: Uint8Array | undefined;
    for (let y = y0!; y < height; y += dy!) {
      const bits: number[] = [];
      for (let x = x0!; x < width; x += dx!) {
        for (let i = 0; i < samples; i++) {
          const value = sample(x, y, i);
          for (let bit = depth - 1; bit >= 0; bit--) bits.push(value >> bit & 1);
        }
      }
      if (bits.length === 0) break;
      const line = new Uint8Array(Math.ceil(bits.length / 8));
      for (const [i, bit] of bits.entries()) line[i >> 3]! |= bit << (7 - (i & 7));
      above ??= new Uint8Array(line.length);
      lines.push(filterLine(filters[lines.length % filters.length]!, line, above, pixel));
      above = line;
    }
  }
  return concat(lines);
}

function filterLine(
  type: number,
  line: Uint8Array,
  above: Uint8Array,
  pixel: number,
): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(line.length + 1);
  out[0] = type;
  for (let i = 0; i < line.length; i++) {
    const a = line[i - pixel] ?? 0, b = above[i]!, c = above[i - pixel] ?? 0;
    const p = a + b - c;
    const nearest = [a, b, c].sort((m, n) => Math.abs(p - m) - Math.abs(p - n))[0]!;
    out[i + 1] = line[i]! - [0, a, b, Math.floor((a + b) / 2), nearest][type]!;
  }
  return out;
}
