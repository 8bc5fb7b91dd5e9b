/**
 * The background of a picture as the median of its border, and what stands out from it: the first version of fitting.
 *
 * @module
 */
import type { Box, Size } from "./resample.ts";

// The paper's: pixels within 5 % of the background belong to the margin.
const TOLERANCE = 0.05 * 255;

/**
 * The background of a plane: the median of its border, which an object that touches the frame does not change.
 *
 * @param grey `[height, width]`, 0..255
 * @returns 0..255
 */
export function borderMedian(grey: Uint8Array, { width, height }: Size): number {
  // A histogram, as a picture of 2 million pixels in one line is all border.
  const histogram = new Uint32Array(256);
  for (let x = 0; x < width; x++) {
    histogram[grey[x]!]!++;
    histogram[grey[(height - 1) * width + x]!]!++;
  }
  for (let y = 0; y < height; y++) {
    histogram[grey[y * width]!]!++;
    histogram[grey[(y + 1) * width - 1]!]!++;
  }
  const middle = width + height;
  let median = 0;
  for (let count = histogram[0]!; count <= middle; count += histogram[++median]!);
  return median;
}

/**
 * How far each pixel is from the background, scaled so that the farthest possible is 255. On white this
 * negates, as the paper does; on black it changes nothing; and between them it keeps things visible that are
 * lighter than their background as well as those that are darker.
 */
export function toDistance(plane: Uint8Array, background: number): Uint8Array {
  const scale = 255 / Math.max(background, 255 - background);
  // Looked up, as photos have a thousand times more pixels than there are values.
  const distances = Uint8Array.from(
    { length: 256 },
    (_, value) => Math.round(Math.abs(value - background) * scale),
  );
  const out = new Uint8Array(plane.length);
  for (let i = 0; i < out.length; i++) out[i] = distances[plane[i]!]!;
  return out;
}

/** The smallest box that holds all that stands out in any plane; undefined if nothing does. */
export function trim(distances: Uint8Array[], { width, height }: Size): Box | undefined {
  let left = width, right = -1, top = height, bottom = -1;
  for (const distance of distances) {
    for (let y = 0, start = 0; y < height; y++, start += width) {
      // A line is walked from both ends, and no further than to what is in the box already.
      let x = 0;
      while (x < width && distance[start + x]! <= TOLERANCE) x++;
      if (x === width) continue;
      left = Math.min(left, x);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y);
      for (x = width - 1; x > right && distance[start + x]! <= TOLERANCE;) x--;
      right = x;
    }
  }
  if (bottom < 0) return undefined;
  return { left, top, width: right - left + 1, height: bottom - top + 1 };
}
