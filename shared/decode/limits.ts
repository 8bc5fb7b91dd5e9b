/**
 * What decoding may cost. Time and memory follow the pixels that a header announces, so they are counted before
 * anything is allocated.
 *
 * @module
 */

import { InputError } from "../errors.ts";

/** What a decoder may spend. */
export interface PictureLimits {
  /** The most pixels a picture may have, width × height. */
  maxPixels: number;
  /** How many pixels are left to several pictures together; each takes its own from it, broken ones too. */
  budget?: { pixels: number };
}

/**
 * Takes a picture's pixels from what there is.
 *
 * @param format its name, as in "Cannot decode the PNG"
 * @throws {InputError} `too-large` if there are not as many
 */
export function spendPixels(
  format: string,
  { width, height }: { width: number; height: number },
  { maxPixels, budget }: PictureLimits,
): void {
  if (width > Math.floor(maxPixels / height)) {
    throw new InputError(
      "too-large",
      `Cannot decode the ${format} as it must have at most ${maxPixels} pixels: ` +
        `current size is ${width}x${height}`,
    );
  }
  if (!budget) return;
  if (width * height > budget.pixels) {
    throw new InputError(
      "too-large",
      `Cannot decode the ${format} as the request's pictures have too many pixels together: ` +
        `current size is ${width}x${height}, and ${budget.pixels} are left`,
    );
  }
  budget.pixels -= width * height;
}
