/**
 * Numbers as people read them.
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
