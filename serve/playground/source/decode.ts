/**
 * Pictures from files and from everything else that a browser can paint.
 *
 * @module
 */
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import type { Image } from "../../../shared/image.ts";
import { Trouble } from "./runner.ts";

/** More pixels than this along one side say nothing to a model that sees some dozens. */
export const LONGEST = 1024;
const MOST_BYTES = 64 * 1024 * 1024;

/**
 * Decodes a picture.
 *
 * @throws {Trouble} if it is none
 */
export async function decode(file: Blob): Promise<Image> {
  const name = file instanceof File && file.name !== "" ? `“${file.name}”` : "This";
  if (file.size > MOST_BYTES) throw new Trouble(`${name} is too large: a picture may have 64 MB.`);
  try {
    // As the server reads it: the bytes as they are, turned as EXIF says.
    const options: ImageBitmapOptions = { premultiplyAlpha: "none", colorSpaceConversion: "none" };
    const bitmap = await createImageBitmap(file, options);
    try {
      return toImage(bitmap, bitmap);
    } finally {
      bitmap.close();
    }
  } catch {
    throw new Trouble(`${name} cannot be read as a picture. Try a PNG, JPEG or WebP file.`);
  }
}

/**
 * The pixels of something that can be painted.
 *
 * @param longest pixels of its longer side at most
 */
export function toImage(
  source: CanvasImageSource,
  { width, height }: { width: number; height: number },
  longest = LONGEST,
): Image {
  const scale = Math.min(1, longest / Math.max(width, height));
  const size = {
    width: Math.max(1, Math.round(width * scale)),
    height: Math.max(1, Math.round(height * scale)),
  };
  const context = new OffscreenCanvas(size.width, size.height).getContext("2d", {
    willReadFrequently: true,
  })!;
  context.imageSmoothingQuality = "high";
  context.drawImage(source, 0, 0, size.width, size.height);
  const { data } = context.getImageData(0, 0, size.width, size.height);
  return { ...size, channels: 4, data: new Uint8Array(data.buffer) };
}
