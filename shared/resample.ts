/**
 * Resampling of pictures, plane by plane.
 *
 * @module
 */

/** A width and a height, in pixels. */
export interface Size {
  /** Pixels. */
  width: number;
  /** Pixels. */
  height: number;
}

/** A part of a picture, in whole pixels. */
export interface Box extends Size {
  /** Pixels. */
  left: number;
  /** Pixels. */
  top: number;
}

/** Which source pixels make one target pixel, and how much of each; the weights sum to 1. */
interface Taps {
  start: number;
  weights: number[];
}

/**
 * Resamples a box of a plane, one axis after the other: it averages over areas where it shrinks and interpolates
 * where it grows.
 *
 * @param plane row-major, 0..255
 * @param stride pixels of a row of the plane
 * @returns `[target.height, target.width]`, 0..255
 */
export function resizePlane(plane: Uint8Array, stride: number, box: Box, target: Size): Uint8Array {
  const across = axis(box.width, target.width);
  const rows = new Float32Array(box.height * target.width);
  for (let y = 0; y < box.height; y++) {
    const from = (box.top + y) * stride + box.left;
    for (let x = 0; x < target.width; x++) {
      const { start, weights } = across[x]!;
      let sum = 0;
      for (let k = 0; k < weights.length; k++) sum += weights[k]! * plane[from + start + k]!;
      rows[y * target.width + x] = sum;
    }
  }
  const out = new Uint8Array(target.width * target.height);
  for (const [y, { start, weights }] of axis(box.height, target.height).entries()) {
    for (let x = 0; x < target.width; x++) {
      let sum = 0;
      for (let k = 0; k < weights.length; k++) sum += weights[k]! * rows[(start + k) * target.width + x]!;
      out[y * target.width + x] = Math.round(sum);
    }
  }
  return out;
}

function axis(from: number, to: number): Taps[] {
  const step = from / to;
  return Array.from({ length: to }, (_, i) => step >= 1 ? area(i, step, from) : linear(i, step, from));
}

/** Averages the stretch of the source that the target pixel covers, partly covered ends included. */
function area(i: number, step: number, from: number): Taps {
  const first = i * step;
  const last = Math.min((i + 1) * step, from);
  const start = Math.floor(first);
  const weights: number[] = [];
  for (let k = start; k < last; k++) {
    weights.push((Math.min(k + 1, last) - Math.max(k, first)) / (last - first));
  }
  return { start, weights };
}

/** Mixes the two source pixels on either side of the target pixel's centre. */
function linear(i: number, step: number, from: number): Taps {
  const centre = Math.min(Math.max((i + 0.5) * step - 0.5, 0), from - 1);
  const start = Math.floor(centre);
  const part = centre - start;
  return part === 0 ? { start, weights: [1] } : { start, weights: [1 - part, part] };
}
