/**
 * The mistakes that a model is most sure of: they show mislabelled images, classes that overlap, and what
 * the model has not understood.
 *
 * @module
 */
import type { Scored } from "./calibration.ts";
import { argMax } from "./evaluation.ts";

/** One image of the test split that is called wrongly. */
export interface Mistake {
  /** Its place in the test split, from 0 up. */
  index: number;
  /** What it is. */
  actual: string;
  /** What it was called. */
  predicted: string;
  /** The probability of that, 0..1. */
  score: number;
}

/**
 * Finds them, the most confident first; of equally confident ones, the first of the split.
 *
 * @param temperature divides the logits, so that the scores are those that are served
 * @param count how many at most
 */
export function confidentMistakes(
  { logits, labels: actual }: Scored,
  labels: readonly string[],
  temperature = 1,
  count = 24,
): Mistake[] {
  const classes = labels.length;
  const mistakes: Mistake[] = [];
  for (let i = 0; i < actual.length; i++) {
    const row = logits.subarray(i * classes, (i + 1) * classes);
    const called = argMax(row);
    if (called === actual[i]) continue;
    let sum = 0;
    for (const logit of row) sum += Math.exp((logit - row[called]!) / temperature);
    mistakes.push({ index: i, actual: labels[actual[i]!]!, predicted: labels[called]!, score: 1 / sum });
  }
  return mistakes.sort((a, b) => b.score - a.score).slice(0, count);
}
