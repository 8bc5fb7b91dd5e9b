/**
 * From a picture to what the model sees, by the code that the server uses.
 *
 * @module
 */
import type { PageModel } from "./page_model.ts";
import { fitImage, type Image } from "../../../shared/image.ts";

/** The options beside the picture. */
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
