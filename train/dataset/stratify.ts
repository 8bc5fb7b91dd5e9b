/**
 * Draws a test split of which every class has its share.
 *
 * @module
 */
import { Random } from "../../shared/random.ts";

/**
 * Splits indices in two. Each class gives the share of its images, rounded, but at least one, and keeps at
 * least one: so a class must have two. The same labels and seed give the same split.
 *
 * @param labels `[count]`, each in `0..classes - 1`
 * @param share of each class that is drawn, 0..1
 * @returns the indices that were left and those that were drawn, each in order
 */
export function stratify(
  labels: ArrayLike<number>,
  classes: number,
  share: number,
  seed: number,
): { left: number[]; drawn: number[] } {
  const byClass: number[][] = Array.from({ length: classes }, () => []);
  for (let i = 0; i < labels.length; i++) byClass[labels[i]!]!.push(i);
  const random = new Random(seed, 1);
  const left: number[] = [], drawn: number[] = [];
  for (const indices of byClass) {
    random.shuffle(indices);
    const count = Math.min(Math.max(1, Math.round(indices.length * share)), indices.length - 1);
    drawn.push(...indices.slice(0, count));
    left.push(...indices.slice(count));
  }
  const order = (a: number, b: number): number => a - b;
  return { left: left.sort(order), drawn: drawn.sort(order) };
}
