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
  count: number;
  /** The weight of the first. */
  first: number;
  /** The weight of each between the first and the last. */
  inner: number;
  /** The weight of the last, if there is more than one. */
  last: number;
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
      const { start, count, first, inner, last } = across[x]!;
      let at = from + start;
      const end = at + count - 1;
      let sum = first * plane[at]!;
      for (at++; at < end; at++) sum += inner * plane[at]!;
      if (count > 1) sum += last * plane[end]!;
      rows[y * target.width + x] = sum;
    }
  }
  const out = new Uint8Array(target.width * target.height);
  for (const [y, { start, count, first, inner, last }] of axis(box.height, target.height).entries()) {
    const stride = target.width;
    for (let x = 0; x < stride; x++) {
      let at = start * stride + x;
      const end = at + (count - 1) * stride;
      let sum = first * rows[at]!;
      for (at += stride; at < end; at += stride) sum += inner * rows[at]!;
      if (count > 1) sum += last * rows[end]!;
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
  const begin = i * step;
  const end = Math.min((i + 1) * step, from);
  const start = Math.floor(begin), length = end - begin;
  const count = Math.ceil(end) - start;
  const covered = (k: number): number => (Math.min(k + 1, end) - Math.max(k, begin)) / length;
  return { start, count, first: covered(start), inner: 1 / length, last: covered(start + count - 1) };
}

/** Mixes the two source pixels on either side of the target pixel's centre. */
function linear(i: number, step: number, from: number): Taps {
  const centre = Math.min(Math.max((i + 0.5) * step - 0.5, 0), from - 1);
  const start = Math.floor(centre);
  const part = centre - start;
  return { start, count: part === 0 ? 1 : 2, first: 1 - part, inner: 0, last: part };
}
