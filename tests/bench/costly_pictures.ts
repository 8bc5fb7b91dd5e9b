/**
 * Pictures that take a decoder long, made to order: sizes, content and coding are parameters that a search can change.
 *
 * @module
 */
import { deflateSync } from "node:zlib";
import { Random } from "../../shared/random.ts";
import { SAMPLES } from "../helpers/png_encoder.ts";
import { headerOf, pngFile } from "../helpers/png_encoder.ts";
import { encodeJpeg, encodeWebp, type Rgba } from "../helpers/picture_encoders.js";

/** How a PNG is made. */
export interface PngRecipe {
  width: number;
  height: number;
  colour: number;
  depth: number;
  /** Of every line, 0..4. */
  filter: number;
  /** The share of the bytes that are noise, which cannot be compressed; the others are 0. */
  noise: number;
}

/** Writes a PNG that is not interlaced. */
export function costlyPng(
  { width, height, colour, depth, filter, noise }: PngRecipe,
): Uint8Array<ArrayBuffer> {
  const stride = Math.ceil(width * SAMPLES[colour]! * depth / 8);
  const lines = new Uint8Array((stride + 1) * height);
  fillNoise(lines.subarray(0, Math.round(noise * lines.length)));
  for (let y = 0; y < height; y++) lines[y * (stride + 1)] = filter;
  const header = headerOf({ width, height, depth, colour, interlaced: false });
  return pngFile(
    ["IHDR", header],
    ...(colour === 3 ? [["PLTE", new Uint8Array(3 << depth)] as const] : []),
    ["IDAT", deflateSync(lines, { level: 1 })],
    ["IEND", new Uint8Array()],
  );
}

/** A ramp with noise, as red, green, blue and alpha. */
function noisy(width: number, height: number, noise: number): Rgba {
  const data = new Uint8Array(4 * width * height);
  fillNoise(data);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i += 4) {
      const ramp = (1 - noise) * 200 * x / width;
      for (let c = 0; c < 3; c++) data[i + c] = ramp + noise * data[i + c]!;
      data[i + 3] = 255;
    }
  }
  return { width, height, data };
}

/** How a JPEG or a WebP is made. */
export interface PhotoRecipe {
  width: number;
  height: number;
  /** 0..1 */
  noise: number;
  /** 0..100 */
  quality: number;
  /** Whether a JPEG is progressive, or a WebP lossless. */
  variant: boolean;
}

/** Writes a JPEG. */
export async function costlyJpeg(recipe: PhotoRecipe): Promise<Uint8Array<ArrayBuffer>> {
  const { width, height, noise, quality, variant } = recipe;
  return await encodeJpeg(noisy(width, height, noise), {
    quality,
    progressive: variant,
    auto_subsample: false,
    chroma_subsample: 1,
  });
}

/** Writes a WebP. */
export async function costlyWebp(recipe: PhotoRecipe): Promise<Uint8Array<ArrayBuffer>> {
  const { width, height, noise, quality, variant } = recipe;
  return await encodeWebp(noisy(width, height, noise), { quality, method: 0, lossless: Number(variant) });
}

/** A form of some files. */
export function form(files: Uint8Array[]): { type: string; body: Uint8Array<ArrayBuffer> } {
  const boundary = "costly";
  const text = (value: string): Uint8Array => new TextEncoder().encode(value);
  const head = (i: number): string =>
    `--${boundary}\r\ncontent-disposition: form-data; name="image"; filename="${i}"\r\n\r\n`;
  const parts = files.flatMap((file, i) => [text(head(i)), file, text("\r\n")]);
  parts.push(text(`--${boundary}--\r\n`));
  const body = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    body.set(part, at);
    at += part.length;
  }
  return { type: `multipart/form-data; boundary=${boundary}`, body };
}

function fillNoise(bytes: Uint8Array): void {
  const random = new Random(1);
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
  for (let i = 0; i < words.length; i++) words[i] = random.uint32();
}
