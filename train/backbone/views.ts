/**
 * Views of a picture: mirrored, and crops of it. Their features are computed once and one of them is drawn in each
 * epoch, where a network that is trained itself would see a new variation each time.
 *
 * @module
 */
import { resizePlane } from "../../shared/resample.ts";

/** What part of a picture, and whether it is mirrored. */
export interface View {
  name: string;
  /** Share of both sides that is seen, 0..1. */
  share: number;
  /** Where it begins: 0 is left or top, 1 right or bottom. */
  x: number;
  y: number;
  mirrored: boolean;
}

/** The share of each side that a crop shows. */
const SHARE = 0.85;

const whole: View = { name: "whole", share: 1, x: 0, y: 0, mirrored: false };
const mirror: View = { ...whole, name: "mirror", mirrored: true };
const corners: View[] = [[0, 0], [1, 0], [0, 1], [1, 1]].map(([x, y], i) => ({
  name: `crop-${x}${y}`,
  share: SHARE,
  x: x!,
  y: y!,
  // Half of them, so that crops and mirroring do not multiply.
  mirrored: i % 2 === 1,
}));

/** The picture itself, and what augmentation adds. */
export const VIEWS = { whole, mirror, corners };

/**
 * Makes a view.
 *
 * @param image `[3, H, W]`, 0..255
 * @returns the same size and layout
 */
export function viewOf(
  image: Uint8Array,
  { height, width }: { height: number; width: number },
  { share, x, y, mirrored }: View,
): Uint8Array {
  let pixels = image;
  if (share < 1) {
    const box = { width: Math.round(width * share), height: Math.round(height * share), left: 0, top: 0 };
    box.left = Math.round((width - box.width) * x);
    box.top = Math.round((height - box.height) * y);
    pixels = new Uint8Array(image.length);
    const plane = height * width;
    for (let start = 0; start < image.length; start += plane) {
      pixels.set(resizePlane(image.subarray(start, start + plane), width, box, { width, height }), start);
    }
  }
  if (!mirrored) return pixels;
  const flipped = new Uint8Array(pixels.length);
  for (let row = 0; row < pixels.length; row += width) {
    for (let i = 0; i < width; i++) flipped[row + i] = pixels[row + width - 1 - i]!;
  }
  return flipped;
}
