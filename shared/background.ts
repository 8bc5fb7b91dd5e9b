/**
 * The background of a picture as a smooth surface: a polynomial of degree 2 in the coordinates, fitted to the
 * border. It follows light that falls from one side, and vignetting.
 *
 * The fit is least trimmed squares (Rousseeuw, https://doi.org/10.1080/01621459.1984.10477105): an object that
 * touches the border does not change it as long as most of the border is background.
 *
 * @module
 */
import type { Size } from "./resample.ts";

/** A fitted surface. Coordinates are -1..1 across the picture, of the centres of pixels. */
export interface Background {
  /** Coefficients of 1, x, y, x², xy, y². */
  terms: Float64Array;
  /** Standard deviation of the border around the surface, 0..255, without what does not belong to the background. */
  noise: number;
}

/** Depth of the border as a part of the shorter side. */
const DEPTH = 0.01;
/** Border pixels that are used at most, evenly chosen. */
const MAX_SAMPLES = 600;
/** The part of the border that is assumed to be background. */
const COVERAGE = 0.6;
/** Most fits converge after 3 or 4 steps. */
const STEPS = 8, REFINEMENTS = 4;
/** Border pixels within so many standard deviations of the surface belong to it, and always those within 2 of 255. */
const INLIER_SIGMAS = 3, MIN_INLIER = 2;
/** The part of each side that must be background for a curved surface; less determines a plane only. */
const SPREAD = 0.3;
/** Standard deviations of a normal distribution for each median absolute deviation. */
const MAD = 1.4826;

/**
 * Fits the background of a plane.
 *
 * @param plane `[height, width]`, 0..255
 */
export function fitBackground(plane: Uint8Array, size: Size): Background {
  const border = sampleBorder(plane, size);
  let terms: Float64Array = new Float64Array(6);
  terms[0] = quantile(border.value, 0.5);
  let residuals = residualsOf(border, terms);
  for (let i = 0; i < STEPS; i++) {
    terms = leastSquares(border, residuals, quantile(residuals, COVERAGE), 3);
    residuals = residualsOf(border, terms);
  }
  let noise = MAD * quantile(residuals, 0.5);
  for (let i = 0; i < REFINEMENTS; i++) {
    const limit = Math.max(MIN_INLIER, INLIER_SIGMAS * noise);
    terms = leastSquares(border, residuals, limit, isSpread(border, residuals, limit) ? 6 : 3);
    residuals = residualsOf(border, terms);
    const inliers = residuals.filter((residual) => residual <= limit);
    noise = MAD * quantile(inliers.length > 0 ? inliers : residuals, 0.5);
  }
  return { terms, noise };
}

/** The background at a place, 0..255. */
export function backgroundAt({ terms }: Background, x: number, y: number): number {
  return evaluate(terms, x, y);
}

/** The centre of pixel `i` of `length` as a coordinate in -1..1. */
export function coordinate(i: number, length: number): number {
  return (2 * i + 1) / length - 1;
}

/** How far a value is from the background, 0..255, scaled so that the farthest possible is 255. */
export function distance(value: number, background: number): number {
  return Math.abs(value - background) * 255 / Math.max(background, 255 - background);
}

function evaluate(terms: Float64Array, x: number, y: number): number {
  const value = terms[0]! + x * (terms[1]! + terms[3]! * x + terms[4]! * y) + y * (terms[2]! + terms[5]! * y);
  return value < 0 ? 0 : value > 255 ? 255 : value;
}

/** Border pixels, one in each array. */
interface Samples {
  x: Float64Array;
  y: Float64Array;
  value: Float64Array;
  /** 0 is top, 1 bottom, 2 left, 3 right. */
  side: Uint8Array;
}

function sampleBorder(plane: Uint8Array, { width, height }: Size): Samples {
  const depth = Math.max(1, Math.round(DEPTH * Math.min(width, height)));
  const indices: number[] = [];
  for (let y = 0; y < height; y++) {
    const isEdge = y < depth || y >= height - depth;
    for (let x = 0; x < width; x++) {
      if (!isEdge && x === depth && width > 2 * depth) x = width - depth;
      indices.push(y * width + x);
    }
  }
  const step = Math.ceil(indices.length / MAX_SAMPLES);
  const used = indices.filter((_, i) => i % step === 0);
  const row = (i: number): number => Math.floor(i / width);
  const sideOf = (i: number): number => {
    if (row(i) < depth) return 0;
    if (row(i) >= height - depth) return 1;
    return i % width < depth ? 2 : 3;
  };
  return {
    x: Float64Array.from(used, (i) => coordinate(i % width, width)),
    y: Float64Array.from(used, (i) => coordinate(row(i), height)),
    value: Float64Array.from(used, (i) => plane[i]!),
    side: Uint8Array.from(used, sideOf),
  };
}

/** Whether there is background on all sides. */
function isSpread({ side }: Samples, residuals: Float64Array, limit: number): boolean {
  const inliers = [0, 0, 0, 0], all = [0, 0, 0, 0];
  for (let i = 0; i < side.length; i++) {
    all[side[i]!]!++;
    if (residuals[i]! <= limit) inliers[side[i]!]!++;
  }
  return inliers.every((count, i) => count >= SPREAD * all[i]!);
}

function residualsOf({ x, y, value }: Samples, terms: Float64Array): Float64Array {
  return value.map((one, i) => Math.abs(one - evaluate(terms, x[i]!, y[i]!)));
}

function quantile(values: Float64Array, q: number): number {
  return values.slice().sort()[Math.min(values.length - 1, Math.floor(q * values.length))]!;
}

/** Fits the first `count` terms to the samples whose residual is at most `limit`. */
function leastSquares(
  { x, y, value }: Samples,
  residuals: Float64Array,
  limit: number,
  count: 3 | 6,
): Float64Array {
  // The normal equations, and their right side in the last column.
  const rows = Array.from({ length: count }, () => new Float64Array(count + 1));
  let used = 0;
  for (let i = 0; i < value.length; i++) {
    if (residuals[i]! > limit) continue;
    used++;
    const u = x[i]!, v = y[i]!;
    const powers = [1, u, v, u * u, u * v, v * v];
    for (let r = 0; r < count; r++) {
      for (let c = 0; c < count; c++) rows[r]![c]! += powers[r]! * powers[c]!;
      rows[r]![count]! += powers[r]! * value[i]!;
    }
  }
  // A picture that is one pixel wide has no slope across: this keeps the equations solvable.
  for (let r = 1; r < count; r++) rows[r]![r]! += 1e-4 * used;
  return solve(rows);
}

/** Gaussian elimination; the matrix is positive definite, so that no pivots are needed. */
function solve(rows: Float64Array[]): Float64Array {
  const count = rows.length;
  for (let p = 0; p < count; p++) {
    for (let r = p + 1; r < count; r++) {
      const factor = rows[r]![p]! / rows[p]![p]!;
      for (let c = p; c <= count; c++) rows[r]![c]! -= factor * rows[p]![c]!;
    }
  }
  const terms = new Float64Array(6);
  for (let p = count - 1; p >= 0; p--) {
    let sum = rows[p]![count]!;
    for (let c = p + 1; c < count; c++) sum -= rows[p]![c]! * terms[c]!;
    terms[p] = sum / rows[p]![p]!;
  }
  return terms;
}
