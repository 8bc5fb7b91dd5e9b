/**
 * The most confident mistakes of a model: they show mislabelled images, overlapping classes, and weaknesses of the
 * model.
 *
 * @module
 */
import type { Scored } from "./calibration.ts";
import { argMax, softmax } from "../../shared/softmax.ts";

/** A misclassified image of the test split. */
export interface Mistake {
  /** Index in the test split. */
  index: number;
  /** The correct class. */
  actual: string;
  /** The predicted class. */
  predicted: string;
  /** Probability of the predicted class, 0..1. */
  score: number;
}

/**
 * Finds the most confident mistakes, in descending order; of equally confident ones, the first of the split.
 *
 * @param labels class names
 * @param temperature divides the logits, so that the scores are those that the server answers with
 * @param count maximum number
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
    const predicted = argMax(row);
    if (predicted === actual[i]) continue;
    const score = softmax(row, temperature)[predicted]!;
    mistakes.push({ index: i, actual: labels[actual[i]!]!, predicted: labels[predicted]!, score });
  }
  return mistakes.sort((a, b) => b.score - a.score).slice(0, count);
}
