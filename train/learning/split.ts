/**
 * Divides the training split into images to train on and images for validation.
 *
 * @module
 */
import type { Random } from "../../shared/random.ts";
import type { Dataset } from "../dataset/mod.ts";
import { stratify } from "../dataset/stratify.ts";
import { range } from "./batches.ts";

/** The images of a training split, divided by use. Indices into the split; no index is in both. */
export interface TrainingSplit {
  trainIndices: Uint32Array<ArrayBuffer>;
  validationIndices: Uint32Array<ArrayBuffer>;
}

/**
 * Takes the data set's own validation images, or else a stratified sample of the training split.
 *
 * @param count images of the sample; 0 for none
 * @param seed of the sample
 */
export function splitTraining(
  { train, labels, validation }: Pick<Dataset, "train" | "labels" | "validation">,
  count: number,
  seed: number,
): TrainingSplit {
  if (validation === undefined) return sampleValidation(train.labels, labels.length, count, seed);
  // They are the last ones of the training split.
  return {
    trainIndices: range(train.count - validation),
    validationIndices: range(validation, train.count - validation),
  };
}

/**
 * Draws a stratified sample of `count` validation images.
 *
 * @param labels class indices of the training split
 * @param classes number of classes
 */
export function sampleValidation(
  labels: ArrayLike<number>,
  classes: number,
  count: number,
  seed: number,
): TrainingSplit {
  if (count === 0) return { trainIndices: range(labels.length), validationIndices: range(0) };
  const { rest: left, sample: drawn } = stratify(labels, classes, count / labels.length, seed);
  return { trainIndices: Uint32Array.from(left), validationIndices: Uint32Array.from(drawn) };
}

/** The images of each class, by class. */
function byClass(indices: Uint32Array, labels: ArrayLike<number>): Map<number, number[]> {
  const classes = new Map<number, number[]>();
  for (const index of indices) {
    const label = labels[index]!;
    const members = classes.get(label) ?? [];
    members.push(index);
    classes.set(label, members);
  }
  return classes;
}

/** How many images {@linkcode balanced} returns: as if every class were as large as the largest. */
export function balancedCount(indices: Uint32Array, labels: ArrayLike<number>): number {
  const classes = [...byClass(indices, labels).values()];
  return classes.length * Math.max(...classes.map(({ length }) => length));
}

/**
 * Repeats images of smaller classes until every class has as many as the largest. All images of a class occur equally
 * often, except for a remainder that is drawn.
 */
export function balanced(
  indices: Uint32Array,
  labels: ArrayLike<number>,
  random: Random,
): Uint32Array<ArrayBuffer> {
  const classes = [...byClass(indices, labels).values()];
  const size = Math.max(...classes.map(({ length }) => length));
  return Uint32Array.from(classes.flatMap((members) => {
    const shuffled = members.slice();
    random.shuffle(shuffled);
    return Array.from({ length: size }, (_, i) => shuffled[i % members.length]!);
  }));
}
