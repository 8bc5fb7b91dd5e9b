/**
 * What decoding may cost. Time and memory follow the pixels that a header announces, so they are counted before
 * anything is allocated.
 *
 * @module
 */
import { InputError } from "../errors.ts";
import type { Size } from "../image.ts";

/** What a decoder may spend. */
export interface PictureLimits {
  /** The most pixels that a decoded picture may have, width × height. */
  maxPixels: number;
  /** The pixels left for several pictures together; each one spends from it, even if it turns out broken. */
  budget?: { pixels: number };
  /**
   * Pixels that the short side of a decoded picture must keep. Larger JPEGs are decoded at 1/2, 1/4 or 1/8 of
   * their size, which is faster and takes less memory. Without it, everything is decoded at full size.
   */
  shortSide?: number;
  /** Lets other events in, where decoding shares its thread with them; it is called every few milliseconds. */
  turn?: () => Promise<void>;
}

/** Below this, cropping a picture could leave too few pixels of the object. */
const MIN_SHORT_SIDE = 256;
/**
 * Decoded pixels for each pixel of the model, along one side. At reduced scale colour has half the resolution in
 * most files, so less than 1 would be visible; on 12-megapixel photographs fitted to 224×224, 1.5 differs from
 * full size by 1.5 to 1.7 of 255 on average.
 */
const OVERSAMPLING = 1.5;

/** The `shortSide` for pictures that are to be fitted into a model's input. */
export function shortSideFor({ width, height }: Size): number {
  return Math.max(MIN_SHORT_SIDE, OVERSAMPLING * Math.max(width, height));
}

/**
 * Checks a picture's size and takes its cost from the budget.
 *
 * @param format the format's name, as in "Cannot decode the PNG"
 * @param size of the decoded picture
 * @param cost in pixels decoded at full size
 * @throws {InputError} `too-large` if the picture has too many pixels, or costs more than the budget has left
 */
export function spendPixels(
  format: string,
  { width, height }: Size,
  { maxPixels, budget }: PictureLimits,
  cost: number = width * height,
): void {
  if (width > Math.floor(maxPixels / height)) {
    throw new InputError(
      "too-large",
      `Cannot decode the ${format} as it must have at most ${maxPixels} pixels: ` +
        `current size is ${width}x${height}`,
    );
  }
  if (!budget) return;
  if (cost > budget.pixels) {
    throw new InputError(
      "too-large",
      `Cannot decode the ${format} as the request's pictures have too many pixels in total: ` +
        `current cost is ${cost}, and ${budget.pixels} are left`,
    );
  }
  budget.pixels -= cost;
}
