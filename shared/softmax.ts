/**
 * Softmax, in float64 and safe from overflow: every exponent is relative to the largest logit.
 *
 * @module
 */

/** Index of the largest value; of equal ones, the first. */
export function argMax(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}

/**
 * The probabilities of one image's classes.
 *
 * @param logits `[classes]`
 * @param temperature divides the logits
 * @returns `[classes]`, 0..1, with a sum of 1
 */
export function softmax(logits: ArrayLike<number>, temperature = 1): Float64Array {
  const { powers, sum } = exponentials(logits, temperature);
  return powers.map((power) => power / sum);
}

/** `−log softmax(logits / temperature)[target]`. */
export function crossEntropy(logits: ArrayLike<number>, target: number, temperature = 1): number {
  const { max, sum } = exponentials(logits, temperature);
  return Math.log(sum) - (logits[target]! - max) / temperature;
}

function exponentials(
  logits: ArrayLike<number>,
  temperature: number,
): { powers: Float64Array; sum: number; max: number } {
  const max = logits[argMax(logits)]!;
  const powers = Float64Array.from(logits, (logit) => Math.exp((logit - max) / temperature));
  return { powers, sum: powers.reduce((sum, power) => sum + power, 0), max };
}
