/**
 * Batches: the data set stays one array of bytes in memory, and each batch is copied out of it, scaled,
 * augmented and uploaded. That costs a tenth of a millisecond, where slicing a tensor costs several.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import type { Random } from "../shared/random.ts";
import type { Split } from "./dataset/mod.ts";

/** One step's worth of images. */
export interface Batch {
  /** `[N, H·W]`, 0..1 */
  images: tf.Tensor2D;
  /** `[N, classes]`: 1 in the column of the class, 0 elsewhere */
  targets: tf.Tensor2D;
  /** How many images. */
  count: number;
}

/** How images are brought to the model. */
export interface BatchOptions {
  batchSize: number;
  classes: number;
  /** Pixels of a row, for mirroring. */
  width: number;
  /** Mirrors each image with probability ½; absent for images as they are. */
  flip?: Random;
}

/**
 * Walks over the images at `indices` in that order. The last batch may be smaller. The caller disposes of
 * the tensors.
 */
export function* batches(split: Split, indices: Uint32Array, options: BatchOptions): Generator<Batch> {
  const { batchSize, classes, width, flip } = options;
  const size = split.images.length / split.count;
  for (let start = 0; start < indices.length; start += batchSize) {
    const count = Math.min(batchSize, indices.length - start);
    const pixels = new Float32Array(count * size);
    const targets = new Float32Array(count * classes);
    for (let i = 0; i < count; i++) {
      const index = indices[start + i]!;
      const from = index * size, to = i * size;
      if (flip && flip.uint32() & 1) {
        for (let p = 0; p < size; p++) {
          const column = p % width;
          pixels[to + p] = split.images[from + p - column + width - 1 - column]! / 255;
        }
      } else {
        for (let p = 0; p < size; p++) pixels[to + p] = split.images[from + p]! / 255;
      }
      targets[i * classes + split.labels[index]!] = 1;
    }
    yield {
      images: tf.tensor2d(pixels, [count, size]),
      targets: tf.tensor2d(targets, [count, classes]),
      count,
    };
  }
}

/**
 * Dropout masks: each feature is dropped with the given probability, and the others are scaled up so that
 * the expected sum stays (inverted dropout). TensorFlow.js's own `dropout` draws the same mask in every
 * step when it is seeded.
 *
 * @returns one `[count, features]` tensor per hidden layer
 */
export function dropoutMasks(
  count: number,
  hidden: readonly number[],
  rate: number,
  random: Random,
): tf.Tensor2D[] {
  if (rate === 0) return [];
  const threshold = rate * 2 ** 32;
  const scale = 1 / (1 - rate);
  return hidden.map((features) => {
    const mask = new Float32Array(count * features);
    for (let i = 0; i < mask.length; i++) mask[i] = random.uint32() < threshold ? 0 : scale;
    return tf.tensor2d(mask, [count, features]);
  });
}

/** `0, 1, … count−1`. */
export function range(count: number, start = 0): Uint32Array<ArrayBuffer> {
  return Uint32Array.from({ length: count }, (_, i) => start + i);
}
