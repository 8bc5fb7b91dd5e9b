/**
 * Least squares without negative coefficients.
 *
 * @module
 */

export interface Row {
  values: number[];
  target: number;
}

/** Enough for a few coefficients, even of values that depend on each other. */
const ROUNDS = 10_000;

/**
 * Finds the coefficients, 0 or more, whose sum of products with the values is closest to the targets, by coordinate
 * descent.
 *
 * @returns one coefficient for each value of a row
 */
export function leastSquares(rows: Row[]): number[] {
  const coefficients = new Array<number>(rows[0]?.values.length ?? 0).fill(0);
  const squares = coefficients.map((_, i) => rows.reduce((sum, { values }) => sum + values[i]! ** 2, 0));
  const residuals = rows.map(({ target }) => target);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, coefficient] of coefficients.entries()) {
      if (squares[i] === 0) continue;
      const gradient = rows.reduce((sum, { values }, row) => sum + values[i]! * residuals[row]!, 0);
      const next = Math.max(0, coefficient + gradient / squares[i]!);
      for (const [row, { values }] of rows.entries()) residuals[row]! -= (next - coefficient) * values[i]!;
      coefficients[i] = next;
    }
  }
  return coefficients;
}
