/**
 * Converts a distance to the share of the validation images with a larger distance.
 *
 * @module
 */

/** A piecewise linear function that falls from 1 to 0: `Σᵢ slopesᵢ · max(0, knotsᵢ − distance)`. */
export interface QuantileTable {
  /** Ascending distances. */
  knots: Float32Array<ArrayBuffer>;
  /** How much steeper the function is below a knot than above. */
  slopes: Float32Array<ArrayBuffer>;
}

/** Number of quantiles; half of them are in the last tenth, where thresholds are. */
const QUANTILES = 64;

/** Knots that are closer than this share of the whole range are merged: float32 could not distinguish them. */
const CLOSEST = 1e-6;

/** Prevents that a share that equals the threshold is rounded to below it, as with ten images. */
const ROUNDING = 1e-6;

/**
 * Makes the table from the distances of the validation images.
 *
 * @param distances one or more, from 0 up
 * @param kept a share, 0..1: as many of these images, to the nearest, have a familiarity of `1 - kept` or more
 */
export function quantileTable(distances: Float64Array, kept: number): QuantileTable {
  const sorted = Float64Array.from(distances).sort(), n = sorted.length;
  const half = QUANTILES / 2;
  const ranks = Array.from(
    { length: QUANTILES - 1 },
    (_, i) => i < half ? 0.9 * i / (half - 1) : 1 - 0.1 * 100 ** -((i - half) / (half - 2)),
  );
  const count = Math.min(Math.round(kept * n), n - 1);
  const indices = new Set(
    [...ranks.map((rank) => Math.round(rank * (n - 1))), Math.max(count - 1, 0), count].sort((a, b) => a - b),
  );
  const range = sorted[n - 1]! - sorted[0]! + 1e-12;
  const x: number[] = [], y: number[] = [];
  for (const index of indices) {
    const knot = Math.fround(sorted[index]!), share = 1 - (1 - ROUNDING) * (index + 0.5) / n;
    if (x.length > 0 && knot - x.at(-1)! <= CLOSEST * range) {
      // Of equal distances, the last one has the share that is farther.
      y[y.length - 1] = share;
    } else {
      x.push(knot);
      y.push(share);
    }
  }
  x.push(Math.fround(1.5 * x.at(-1)! + 1e-6));
  y.push(0);
  const rise = x.slice(1).map((knot, i) => (y[i + 1]! - y[i]!) / (knot - x[i]!));
  return {
    knots: Float32Array.from(x),
    slopes: Float32Array.from(x, (_, i) => (rise[i] ?? 0) - (rise[i - 1] ?? 0)),
  };
}

/** The familiarity for each distance, 0..1. */
export function familiarities({ knots, slopes }: QuantileTable, distances: Float64Array): Float64Array {
  return distances.map((distance) => {
    let sum = 0;
    for (let i = 0; i < knots.length; i++) sum += slopes[i]! * Math.max(0, knots[i]! - distance);
    return Math.min(Math.max(sum, 0), 1);
  });
}
