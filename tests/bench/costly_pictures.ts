/**
 * Pictures that take a decoder long, made to order: sizes, content and coding are parameters that a search can change.
 *
 * @module
 */
import type { Size } from "../../shared/image.ts";
import { encodeJpeg, encodeWebp, type Rgba } from "../helpers/picture_encoders.js";
import { jpegOfScans, type ScansRecipe } from "./costly_jpeg.ts";
import { costlyPng, fillNoise, type PngRecipe } from "./costly_png.ts";

export { costlyPng };

/** A ramp with noise, as red, green, blue and alpha. */
function noisy({ width, height }: Size, noise: number, transparent = false): Rgba {
  const data = new Uint8Array(4 * width * height);
  fillNoise(data);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i += 4) {
      const ramp = (1 - noise) * 200 * x / width;
      for (let c = 0; c < 3; c++) data[i + c] = ramp + noise * data[i + c]!;
      if (!transparent) data[i + 3] = 255;
    }
  }
  return { width, height, data };
}

/** How a picture is made that has a ramp and noise. */
interface PhotoRecipe {
  size: Size;
  /** 0..1 */
  noise: number;
  /** 0..100 */
  quality: number;
}

/** How a JPEG is made by MozJPEG. */
export interface JpegRecipe extends PhotoRecipe {
  progressive: boolean;
  /** Width and height of a sample of colour, in pixels. */
  subsampling: number;
}

export async function costlyJpeg(recipe: JpegRecipe): Promise<Uint8Array<ArrayBuffer>> {
  const { size, noise, quality, progressive, subsampling } = recipe;
  return await encodeJpeg(noisy(size, noise), {
    quality,
    progressive,
    auto_subsample: false,
    chroma_subsample: subsampling,
  });
}

/** How a WebP is made by libwebp. */
export interface WebpRecipe extends PhotoRecipe {
  lossless?: boolean;
  transparent?: boolean;
  /** Effort, 0..6: which transforms of a lossless picture are tried, and how many modes of a lossy one. */
  method?: number;
  /** Strength of the filter that smooths the blocks of a lossy picture, 0..100. */
  smoothing?: number;
}

export async function costlyWebp(recipe: WebpRecipe): Promise<Uint8Array<ArrayBuffer>> {
  const { size, noise, quality } = recipe;
  const { lossless = false, transparent = false, method = 0, smoothing = 0 } = recipe;
  return await encodeWebp(noisy(size, noise, transparent), {
    quality,
    method,
    lossless: Number(lossless),
    exact: 1,
    filter_strength: smoothing,
  });
}

/**
 * What `deno task bench costly` has found: the costliest pictures within the default limits. The search starts from
 * them, and the attack bench sends them.
 */
export const COSTLIEST: { png: PngRecipe; mozjpeg: JpegRecipe; jpeg: ScansRecipe; webp: WebpRecipe } = {
  png: {
    size: { width: 1, height: 2_097_152 },
    format: [4, 16],
    filter: 2,
    noise: 0,
    interlaced: false,
    keyed: false,
    tables: 8_000_000,
  },
  mozjpeg: {
    size: { width: 8192, height: 256 },
    noise: 0.85,
    quality: 100,
    progressive: true,
    subsampling: 1,
  },
  jpeg: {
    size: { width: 8192, height: 256 },
    components: 3,
    sampling: [1, 1],
    progressive: true,
    coefficients: 63,
    scans: 16,
    refined: "ac",
    interval: 1,
  },
  webp: {
    size: { width: 1448, height: 1448 },
    noise: 0.8,
    quality: 100,
    lossless: false,
    transparent: true,
    method: 0,
    smoothing: 60,
  },
};

/** The costliest file of each format. */
export async function costliestFiles(): Promise<Record<"png" | "jpeg" | "webp", Uint8Array<ArrayBuffer>>> {
  return {
    png: costlyPng(COSTLIEST.png),
    jpeg: jpegOfScans(COSTLIEST.jpeg),
    webp: await costlyWebp(COSTLIEST.webp),
  };
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
