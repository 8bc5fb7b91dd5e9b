/**
 * PNG files that take a decoder long. The numbers of the compressed data are those of RFC 1951.
 *
 * @module
 */
import { deflateSync } from "node:zlib";
import { Random } from "../../shared/random.ts";
import { ADAM7, headerOf, pngFile, SAMPLES } from "../helpers/png_encoder.ts";
import type { Size } from "../../shared/image.ts";

/** How a PNG is made. */
export interface PngRecipe {
  size: Size;
  /** Colour type and bits a sample. */
  format: readonly [colour: number, depth: number];
  /** Of every line, 0..4. */
  filter: number;
  /** The share of the bytes that are noise, which cannot be compressed; the others are 0. */
  noise: number;
  interlaced?: boolean;
  /** Whether one colour is transparent. */
  keyed?: boolean;
  /** Bytes of compressed data that hold nothing but tables of codes. */
  tables?: number;
}

/** Writes a PNG. */
export function costlyPng(recipe: PngRecipe): Uint8Array<ArrayBuffer> {
  const { size: { width, height }, format: [colour, depth], filter, noise } = recipe;
  const { interlaced = false, keyed = false, tables = 0 } = recipe;
  const samples = SAMPLES[colour]!;
  // Bytes and number of the lines of each pass.
  const passes = (interlaced ? ADAM7 : [[0, 0, 1, 1]]).map(([x, y, dx, dy]) => [
    Math.ceil(Math.ceil((width - x!) / dx!) * samples * depth / 8),
    Math.max(0, Math.ceil((height - y!) / dy!)),
  ]).filter(([stride]) => stride! > 0);
  const lines = new Uint8Array(passes.reduce((sum, [stride, count]) => sum + (stride! + 1) * count!, 0));
  fillNoise(lines.subarray(0, Math.round(noise * lines.length)));
  let at = 0;
  for (const [stride, count] of passes) {
    for (let y = 0; y < count!; y++, at += stride! + 1) lines[at] = filter;
  }
  const isGreyOrRgb = colour === 0 || colour === 2;
  return pngFile(
    ["IHDR", headerOf({ width, height, depth, colour, interlaced })],
    ...(colour === 3 ? [["PLTE", new Uint8Array(3 << depth)] as const] : []),
    ...(keyed && isGreyOrRgb ? [["tRNS", new Uint8Array(2 * samples)] as const] : []),
    ["IDAT", withTables(deflateSync(lines, { level: 1 }), tables)],
    ["IEND", new Uint8Array()],
  );
}

/**
 * A block of dynamic codes (section 3.2.7) in which only the end of the block has a code, as its bits from the first
 * on: a decoder builds its tables for nothing.
 */
const EMPTY_BLOCK = [
  "001", // not the last block, dynamic codes
  "00000" + "00000" + "0111", // 257 literals, 1 distance, the lengths of 18 code lengths
  "000000100" + "000".repeat(14) + "100", // codes of one bit for 18, which repeats zeros, and for 1
  "1" + "1111111" + "1" + "1101011", // 138 and 118 zeros
  "0" + "0", // one bit for the end, and for the distance
  "0", // the end
].join("");

/** Inserts empty blocks between the header of zlib's format and its first block. */
function withTables(compressed: Uint8Array, tables: number): Uint8Array {
  if (tables === 0) return compressed;
  // Eight blocks end at the end of a byte.
  const eight = Uint8Array.from(
    EMPTY_BLOCK.repeat(8).match(/.{8}/g)!,
    (bits) => parseInt([...bits].reverse().join(""), 2),
  );
  const count = Math.floor(tables / eight.length);
  const out = new Uint8Array(compressed.length + count * eight.length);
  out.set(compressed.subarray(0, 2));
  for (let i = 0; i < count; i++) out.set(eight, 2 + i * eight.length);
  out.set(compressed.subarray(2), 2 + count * eight.length);
  return out;
}

/** Fills bytes with noise, always the same. */
export function fillNoise(bytes: Uint8Array): void {
  const random = new Random(1);
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
  for (let i = 0; i < words.length; i++) words[i] = random.uint32();
}
