/**
 * How far a measured share can be from the true one.
 *
 * @module
 */

/** The quantile of the normal distribution for 95 %. */
const Z = 1.959964;

/**
 * The 95 % confidence interval of a share (E. B. Wilson, Probable Inference, 1927). Unlike the usual ± 2 standard
 * errors it is within 0..1 and right for few images and for shares near 0 and 1.
 *
 * @param share 0..1
 * @param count images it was measured on, at least 1
 */
export function wilsonInterval(share: number, count: number): { low: number; high: number } {
  const square = Z * Z / count;
  const centre = (share + square / 2) / (1 + square);
  const half = Z * Math.sqrt(share * (1 - share) / count + square / (4 * count)) / (1 + square);
  // Rounding must not leave 0..1.
  return { low: Math.max(0, centre - half), high: Math.min(1, centre + half) };
}
