/**
 * Measures a model on the TensorFlow.js backend.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import type { Dataset, Split } from "../dataset/mod.ts";
import type { Scored } from "../evaluation/calibration.ts";
import { argMax, crossEntropy } from "../../shared/softmax.ts";
import { batches, range } from "./batches.ts";
import type { Score } from "./events.ts";
import type { Mlp } from "./mlp.ts";

/** Images per forward pass. */
const BATCH_SIZE = 1000;

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

/** The accuracy and the mean cross-entropy of logits. */
export function scoreLogits({ logits, labels }: Scored): Score & { images: number } {
  const images = labels.length, classes = logits.length / images;
  let hits = 0, loss = 0;
  for (let i = 0; i < images; i++) {
    const row = logits.subarray(i * classes, (i + 1) * classes);
    if (argMax(row) === labels[i]) hits++;
    loss += crossEntropy(row, labels[i]!);
  }
  return { images, accuracy: hits / images, loss: loss / images };
}
