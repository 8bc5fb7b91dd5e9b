/**
 * Views of an image: its mirror image and crops. Their features are computed once, and each epoch uses a random one.
 * Without a backbone, augmentation makes new variations in every epoch instead.
 *
 * @module
 */
import { resizePlane } from "../../shared/resample.ts";

/** A part of an image, possibly mirrored. */
export interface View {
  name: string;
  /** Share of the height and the width, 0..1. */
  share: number;
  /** Its position: 0 is left or top, 1 is right or bottom. */
  x: number;
  y: number;
  mirrored: boolean;
}

/** The share of the height and the width that a crop has. */
const SHARE = 0.85;

const whole: View = { name: "whole", share: 1, x: 0, y: 0, mirrored: false };
const mirror: View = { ...whole, name: "mirror", mirrored: true };
const corners: View[] = [[0, 0], [1, 0], [0, 1], [1, 1]].map(([x, y], i) => ({
  name: `crop-${x}${y}`,
  share: SHARE,
  x: x!,
  y: y!,
  // Half of the crops are mirrored, so that their number does not double.
  mirrored: i % 2 === 1,
}));

/** The image itself and the views that augmentation adds. */
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
