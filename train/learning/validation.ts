/**
 * The validation images: which ones they are, and how well a model classifies them.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import type { Dataset, Split } from "../dataset/mod.ts";
import { stratify } from "../dataset/stratify.ts";
import { batches, range } from "./batches.ts";
import type { Score } from "./events.ts";
import type { Mlp } from "./mlp.ts";

/** Images per forward pass. */
const BATCH_SIZE = 1000;

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
 * Draws `count` validation images, of every class its share.
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

/**
 * Measures a model on the TensorFlow.js backend.
 *
 * @param indices images of the split; all by default
 */
export async function score(
  model: Mlp,
  split: Split,
  { labels, width }: Pick<Dataset, "labels" | "width">,
  indices: Uint32Array = range(split.count),
): Promise<Score> {
  let hits = 0, loss = 0;
  const options = { batchSize: BATCH_SIZE, classes: labels.length, width };
  for (const { images, targets, count } of batches(split, indices, options)) {
    const [batchHits, batchLoss] = tf.tidy(() => {
      const logits = model.logits(images);
      const hit = tf.equal(tf.argMax(logits, 1), tf.argMax(targets, 1));
      const mean = tf.losses.softmaxCrossEntropy(targets, logits);
      return [tf.sum(tf.cast(hit, "float32")), tf.mul(mean, count)];
    });
    hits += (await batchHits.data())[0]!;
    loss += (await batchLoss.data())[0]!;
    tf.dispose([images, targets, batchHits, batchLoss]);
  }
  return { accuracy: hits / indices.length, loss: loss / indices.length };
}

/**
 * TensorFlow.js's logits for images of a split.
 *
 * @param indices images of the split; all by default
 * @returns `[N, classes]`, row-major
 */
export async function logitsOf(
  model: Mlp,
  split: Split,
  { labels, width }: Pick<Dataset, "labels" | "width">,
  indices: Uint32Array = range(split.count),
): Promise<Float32Array> {
  const all = new Float32Array(indices.length * labels.length);
  let offset = 0;
  const options = { batchSize: BATCH_SIZE, classes: labels.length, width };
  for (const { images, targets } of batches(split, indices, options)) {
    const logits = tf.tidy(() => model.logits(images));
    all.set(await logits.data(), offset);
    offset += logits.size;
    tf.dispose([images, targets, logits]);
  }
  return all;
}
