/**
 * Numbers and tables as people read them.
 *
 * @module
 */

/** `0.9012` as `90.1 %`, with the given number of digits after the point. */
export function percent(fraction: number, digits = 1): string {
  return `${(fraction * 100).toFixed(digits)} %`;
}

/** `75` seconds as `1 min 15 s`. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** `1234567` as `1,234,567`. */
export function count(n: number): string {
  return n.toLocaleString("en");
}

/**
 * Aligns rows of cells in columns.
 *
 * @param left how many columns are aligned to the left; the others are aligned to the right
 */
export function formatTable(rows: readonly (readonly string[])[], left = 1): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]!.length))) ?? [];
  return rows.map((row) =>
    row.map((cell, i) => i < left ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)).join("  ").trimEnd()
  ).join("\n");
}
