/**
 * From a picture to what the model sees, by the code that the server uses.
 *
 * @module
 */
/// <reference lib="dom" />
import type { ImageShape } from "../../../shared/contract.ts";
import type { PageModel } from "./page_model.ts";
import { fitImage, type Image } from "../../../shared/image.ts";

/** What the switches beside the picture say. */
export interface View {
  /** Whether the margin is trimmed, as the server does. */
  crop: boolean;
  /** Whether bright and dark are exchanged at the end. */
  invert: boolean;
}

type Model = Pick<PageModel, "input" | "preprocessing">;

/** `[C, H, W]`, 0..255 */
export function see(
  image: Image,
  { input, preprocessing }: Model,
  { crop, invert }: View,
): Uint8Array<ArrayBuffer> {
  const pixels = new Uint8Array(fitImage(image, { ...input, crop, ...(preprocessing && { preprocessing }) }));
  return invert ? pixels.map((value) => 255 - value) : pixels;
}

/** Paints `[C, H, W]`, 0..255, pixel by pixel. */
export function paintPixels(
  canvas: HTMLCanvasElement,
  pixels: Uint8Array | undefined,
  input: ImageShape,
): void {
  const context = canvas.getContext("2d")!;
  const { channels, height, width } = input;
  const picture = context.createImageData(width, height);
  const area = width * height;
  for (let i = 0; i < area; i++) {
    for (let c = 0; c < 3; c++) picture.data[4 * i + c] = pixels?.[(channels === 3 ? c : 0) * area + i] ?? 0;
    picture.data[4 * i + 3] = 255;
  }
  context.putImageData(picture, 0, 0);
}
