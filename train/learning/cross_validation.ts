/**
 * Cross-validation for data sets with few images: every training image is validated once, by a model that was trained
 * without it, so the accuracy is measured on all of them instead of on a tenth.
 *
 * @module
 */
import { Random } from "../../shared/random.ts";
import type { Dataset, Split } from "../dataset/mod.ts";
import type { Scored } from "../evaluation/calibration.ts";
import { fit, type FitOptions } from "./fit.ts";
import { createMlp } from "./mlp.ts";
import { logitsOf } from "./validation.ts";

/** What {@linkcode crossValidate} reports after each fold. */
export interface FoldEvent {
  /** From 1 up. */
  fold: number;
  /** Number of folds. */
  folds: number;
}

/**
 * Divides images into folds of nearly equal size, each class spread evenly.
 *
 * @returns the indices of each fold
 */
export function stratifiedFolds(
  labels: ArrayLike<number>,
  classes: number,
  folds: number,
  seed: number,
): Uint32Array<ArrayBuffer>[] {
  const byClass: number[][] = Array.from({ length: classes }, () => []);
  for (let i = 0; i < labels.length; i++) byClass[labels[i]!]!.push(i);
  const random = new Random(seed, 5);
  const parts: number[][] = Array.from({ length: folds }, () => []);
  let next = 0;
  for (const indices of byClass) {
    random.shuffle(indices);
    // Each class continues with the fold after the previous class's last one, so that the folds have equal sizes.
    for (const index of indices) parts[next++ % folds]!.push(index);
  }
  return parts.map((indices) => Uint32Array.from(indices.sort((a, b) => a - b)));
}

/**
 * Trains a model for each fold on the other folds, with the whole recipe.
 *
 * @returns the logits of all training images, each from the model that had not seen it
 */
export async function crossValidate(
  dataset: Dataset,
  { recipe: whole, seed, backend, signal, maxSteps }: Omit<FitOptions, "listeners" | "state">,
  onFold?: (event: FoldEvent) => void,
): Promise<Scored> {
  const { train, labels } = dataset;
  // Each fold is a run without folds and without validation images.
  const recipe = { ...whole, folds: 0, validation: 0 };
  const folds = stratifiedFolds(train.labels, labels.length, whole.folds, seed);
  const logits = new Float32Array(train.count * labels.length);
  for (const [i, validated] of folds.entries()) {
    onFold?.({ fold: i + 1, folds: folds.length });
    const others = Uint32Array.from(folds.filter((fold) => fold !== validated).flatMap((fold) => [...fold]))
      .sort();
    const part: Dataset = { ...dataset, train: selectImages(train, others) };
    delete part.validation;
    const model = createMlp(part, recipe, seed);
    try {
      await fit(model, part, {
        recipe,
        seed,
        backend,
        ...(signal && { signal }),
        ...(maxSteps !== undefined && { maxSteps }),
      });
      const scores = await logitsOf(model, train, dataset, validated);
      for (const [row, index] of validated.entries()) {
        logits.set(scores.subarray(row * labels.length, (row + 1) * labels.length), index * labels.length);
      }
    } finally {
      model.dispose();
    }
  }
  return { logits, labels: train.labels };
}

/** The images at some indices, as a split. */
function selectImages({ images, labels, count, features }: Split, indices: Uint32Array): Split {
  const imageSize = images.length / count;
  const select = <T extends Uint8Array | Uint16Array | Float32Array>(from: T, size: number): T => {
    const to = new (from.constructor as new (length: number) => T)(indices.length * size);
    for (const [i, index] of indices.entries()) {
      to.set(from.subarray(index * size, (index + 1) * size), i * size);
    }
    return to;
  };
  return {
    // With features, the pixels are not used.
    images: features ? new Uint8Array() : select(images, imageSize),
    labels: select(labels, 1),
    count: indices.length,
    ...(features && {
      features: { ...features, values: select(features.values, features.size * features.views) },
    }),
  };
}
