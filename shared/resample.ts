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
  const rows = new Rows(plane, stride, box, target.width);
  const out = new Uint8Array(target.width * target.height);
  const sums = new Float64Array(target.width);
  for (const [y, { start, count, first, inner, last }] of axis(box.height, target.height).entries()) {
    sums.fill(0);
    for (let i = 0; i < count; i++) {
      const weight = i === 0 ? first : i === count - 1 ? last : inner;
      const row = rows.at(start + i);
      for (let x = 0; x < sums.length; x++) sums[x]! += weight * row[x]!;
    }
    for (let x = 0, to = y * target.width; x < sums.length; x++) out[to++] = Math.round(sums[x]!);
  }
  return out;
}

/** The rows of a box, resampled across. Two are kept, since all of a tall picture could take gigabytes. */
class Rows {
  readonly #plane: Uint8Array;
  readonly #stride: number;
  readonly #box: Box;
  readonly #across: Taps[];
  readonly #kept: { y: number; row: Float32Array }[];

  constructor(plane: Uint8Array, stride: number, box: Box, width: number) {
    this.#plane = plane;
    this.#stride = stride;
    this.#box = box;
    this.#across = axis(box.width, width);
    this.#kept = [0, 1].map(() => ({ y: -1, row: new Float32Array(width) }));
  }

  /** It is overwritten by the row after the next. */
  at(y: number): Float32Array {
    const kept = this.#kept[y % 2]!;
    if (kept.y === y) return kept.row;
    kept.y = y;
    const plane = this.#plane, { row } = kept;
    const from = (this.#box.top + y) * this.#stride + this.#box.left;
    for (let x = 0; x < row.length; x++) {
      const { start, count, first, inner, last } = this.#across[x]!;
      let at = from + start;
      const end = at + count - 1;
      let sum = first * plane[at]!;
      for (at++; at < end; at++) sum += inner * plane[at]!;
      if (count > 1) sum += last * plane[end]!;
      row[x] = sum;
    }
    return row;
  }
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
