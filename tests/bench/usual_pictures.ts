/**
 * Pictures as people send them, and the most laborious ones that encoders write: what the estimates of decoding are
 * compared with, beside the costliest that the search finds.
 *
 * @module
 */
import { deflateSync } from "node:zlib";
import { PHONE, scene } from "../helpers/phone_photo.ts";
import { photo } from "../helpers/photos.ts";
import { encodeJpeg, encodeWebp } from "../helpers/picture_encoders.js";
import { headerOf, pngFile } from "../helpers/png_encoder.ts";
import { costlyJpeg, costlyPng, costlyWebp } from "./costly_pictures.ts";

type File = Uint8Array<ArrayBuffer>;

/** Two megapixels, and a shape that JPEGs are decoded in at full size. */
const SQUARE = { width: 1448, height: 1448 }, WIDE = { width: 4096, height: 511 };
const NOISE = { noise: 1, quality: 100 } as const;

/** A window with text on it: few colours, and lines that repeat. */
function screenshot(): ReturnType<typeof scene> {
  const image = scene(SQUARE);
  image.data.fill(255);
  for (let y = 0; y < SQUARE.height; y++) {
    for (let x = 0; x < SQUARE.width; x++) {
      const isInk = y % 24 > 6 && (x * 7 + (y >> 2) * 13 + (x >> 3) * (y / 24 | 0)) % 11 < 3 && x > 200;
      const grey = isInk ? 30 : x < 200 ? 230 : 255;
      image.data.fill(grey, 4 * (y * SQUARE.width + x), 4 * (y * SQUARE.width + x) + 3);
    }
  }
  return image;
}

/** The scene as PNG with 16 bits a sample, of which the lower ones are noise, as cameras have it. */
function deepPng(): File {
  const { data } = scene(SQUARE), stride = 6 * SQUARE.width;
  const lines = new Uint8Array((stride + 1) * SQUARE.height);
  for (let y = 0, from = 0; y < SQUARE.height; y++) {
    const start = y * (stride + 1);
    lines[start] = 1;
    for (let x = 0, at = start + 1; x < SQUARE.width; x++, from += 4) {
      for (let c = 0; c < 3; c++, at += 2) {
        lines[at] = data[from + c]! - (x > 0 ? data[from + c - 4]! : 0);
        lines[at + 1] = (from * 31 + c) % 64;
      }
    }
  }
  const header = headerOf({ ...SQUARE, depth: 16, colour: 2, interlaced: false });
  return pngFile(["IHDR", header], ["IDAT", deflateSync(lines)], ["IEND", new Uint8Array()]);
}

/** The files, by what they are. Each is made when it is asked for, as all together take 100 MB. */
export const USUAL_PICTURES: Record<string, () => File | Promise<File>> = {
  "JPEG q85, 2 Mpx": () => encodeJpeg(scene(SQUARE), { quality: 85, progressive: false }),
  "JPEG q85, 2 Mpx, progressive": () => encodeJpeg(scene(SQUARE), { quality: 85, progressive: true }),
  "JPEG q85, 4096×511": () => encodeJpeg(scene(WIDE), { quality: 85, progressive: false }),
  "JPEG q85, 4096×511, progressive": () => encodeJpeg(scene(WIDE), { quality: 85, progressive: true }),
  "JPEG q85, 12 Mpx": () => encodeJpeg(scene(PHONE), { quality: 85, progressive: false }),
  "JPEG q85, 12 Mpx, progressive": () => encodeJpeg(scene(PHONE), { quality: 85, progressive: true }),
  "JPEG of noise, 4096×511": () => costlyJpeg({ ...NOISE, size: WIDE, progressive: false, subsampling: 1 }),
  "JPEG of noise, 4096×511, progressive": () =>
    costlyJpeg({ ...NOISE, size: WIDE, progressive: true, subsampling: 1 }),
  "JPEG of noise, 2 Mpx": () => costlyJpeg({ ...NOISE, size: SQUARE, progressive: false, subsampling: 1 }),
  "JPEG of noise, 2 Mpx, progressive": () =>
    costlyJpeg({ ...NOISE, size: SQUARE, progressive: true, subsampling: 1 }),
  "WebP q80": () => encodeWebp(scene(SQUARE), { quality: 80 }),
  "WebP q95": () => encodeWebp(scene(SQUARE), { quality: 95 }),
  "WebP q95, transparent": () =>
    costlyWebp({
      ...{ size: SQUARE, noise: 0.05, quality: 95, lossless: false },
      ...{ transparent: true, method: 4, smoothing: 60 },
    }),
  "WebP of noise": () =>
    costlyWebp({
      ...NOISE,
      ...{ size: SQUARE, lossless: false, transparent: false, method: 4, smoothing: 60 },
    }),
  "WebP, lossless screenshot": () => encodeWebp(screenshot(), { lossless: 1 }),
  "WebP, lossless photograph": () => encodeWebp(scene(SQUARE), { lossless: 1, method: 2 }),
  "WebP, lossless noise": () =>
    costlyWebp({ ...NOISE, size: SQUARE, lossless: true, transparent: false, method: 0, smoothing: 0 }),
  "PNG of a photograph": () => photo(1448, 1448, 1),
  "PNG of a photograph, 16 bits": deepPng,
  "PNG of noise": () => costlyPng({ size: SQUARE, format: [2, 8], filter: 4, noise: 1 }),
  "PNG of noise, 16 bits": () =>
    costlyPng({ size: { width: 1000, height: 1200 }, format: [2, 16], filter: 4, noise: 1 }),
  "PNG of empty blocks": () =>
    costlyPng({ size: { width: 8, height: 8 }, format: [0, 8], filter: 0, noise: 0, tables: 8_000_000 }),
};
