/**
 * Stratified sampling: draws the same share of every class.
 *
 * @module
 */
import { Random } from "../../shared/random.ts";

/**
 * Splits indices in two. The sample gets the share of each class, rounded, but at least one image, and leaves at
 * least one: a class needs two. The same labels and seed give the same split.
 *
 * @param labels `[count]`, each in `0..classes - 1`
 * @param share of each class that goes to the sample, 0..1
 * @returns the indices of the sample and of the rest, each in ascending order
 */
export function stratify(
  labels: ArrayLike<number>,
  classes: number,
  share: number,
  seed: number,
): { rest: number[]; sample: number[] } {
  const byClass: number[][] = Array.from({ length: classes }, () => []);
  for (let i = 0; i < labels.length; i++) byClass[labels[i]!]!.push(i);
  const random = new Random(seed, 1);
  const rest: number[] = [], sample: number[] = [];
  for (const indices of byClass) {
    random.shuffle(indices);
    const count = Math.min(Math.max(1, Math.round(indices.length * share)), indices.length - 1);
    sample.push(...indices.slice(0, count));
    rest.push(...indices.slice(count));
  }
  const order = (a: number, b: number): number => a - b;
  return { rest: rest.sort(order), sample: sample.sort(order) };
}
