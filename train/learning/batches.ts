/**
 * Batches: the data set is one array of bytes in memory, and each batch is copied from it, scaled, augmented in
 * WebAssembly, and uploaded. Slicing a tensor would cost several milliseconds.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import type { Random } from "../../shared/random.ts";
import { batchMemory, type Blend } from "./batch_memory.ts";
import type { Features, Split } from "../dataset/types.ts";

/** The images of one step. */
export interface Batch {
  /** `[N, H·W]`, 0..1 */
  images: tf.Tensor2D;
  /** `[N, classes]`: 1 in the column of the class, 0 elsewhere */
  targets: tf.Tensor2D;
  /** How many images. */
  count: number;
}

/** How batches are made. */
export interface BatchOptions {
  batchSize: number;
  classes: number;
  /** Pixels of a row. */
  width: number;
  /** Rows of a plane; needed for shifts. */
  height?: number;
  /** Random changes to images and targets; none if absent. */
  augmentation?: Augmentation;
}

/** Random changes, drawn again each time that an image is used. */
export interface Augmentation {
  /** Mirrors with probability ½. */
  flip: boolean;
  /** Maximum shift in each direction, in pixels. */
  shift: number;
  /** Probability of a shift, 0..1. */
  shiftProbability: number;
  /** α of mixup; 0 for none. */
  mixup: number;
  labelSmoothing: number;
  random: Random;
}

/**
 * Yields the images at `indices` in batches, in that order. The last batch may be smaller. The caller disposes of the
 * tensors.
 */
export function* batches(split: Split, indices: Uint32Array, options: BatchOptions): Generator<Batch> {
  const { batchSize, classes, augmentation } = options;
  const { features } = split;
  const size = inputSize(split);
  const { flip = false, shift = 0, shiftProbability = 1, mixup = 0, labelSmoothing = 0, random } =
    augmentation ?? {};
  const { width, height = size / width } = options;
  for (let start = 0; start < indices.length; start += batchSize) {
    const count = Math.min(batchSize, indices.length - start);
    const moves = new Int16Array(count * 3);
    const targets = new Float32Array(count * classes).fill(labelSmoothing / classes);
    for (let i = 0; i < count; i++) {
      if (flip) moves[i * 3] = random!.uint32() & 1;
      if (shift > 0 && random!.chance(shiftProbability)) {
        moves[i * 3 + 1] = random!.below(2 * shift + 1) - shift;
        moves[i * 3 + 2] = random!.below(2 * shift + 1) - shift;
      }
      targets[i * classes + split.labels[indices[start + i]!]!]! += 1 - labelSmoothing;
    }
    const blend = mixup > 0 ? drawBlend(count, mixup, random!) : undefined;
    const read = (i: number): Uint8Array => {
      const index = indices[start + i]!;
      return split.images.subarray(index * size, (index + 1) * size);
    };
    const pixels = features
      ? readFeatures(features, indices.subarray(start, start + count), random, blend)
      : batchMemory.images({ read, count, rows: size / width, height, width, moves }, blend);
    yield {
      images: upload(pixels, [count, size]),
      targets: upload(blend ? batchMemory.blend(targets, count, blend) : targets, [count, classes]),
      count,
    };
  }
}

/** Number of inputs of the model for an image of a split: its features, or else its pixels. */
export function inputSize({ images, count, features }: Pick<Split, "images" | "count" | "features">): number {
  return features?.size ?? images.length / count;
}

/** The features of some images: a random view of each if there is augmentation, and blended like pixels. */
function readFeatures(
  { values, size, views }: Features,
  indices: Uint32Array,
  random: Random | undefined,
  blend: Blend | undefined,
): Float32Array {
  const rows = new Float32Array(indices.length * size);
  for (const [i, index] of indices.entries()) {
    // Without augmentation, the first view: the image itself.
    const view = random && views > 1 ? random.below(views) : 0;
    const start = (index * views + view) * size;
    rows.set(values.subarray(start, start + size), i * size);
  }
  if (!blend) return rows;
  const { partners, share } = blend;
  return rows.map((value, at) => {
    const row = Math.floor(at / size);
    return share * value + (1 - share) * rows[partners[row]! * size + at % size]!;
  });
}

/** The WASM backend copies the values at once; others keep a reference to the array, which is reused. */
function upload(values: Float32Array, shape: [number, number]): tf.Tensor2D {
  return tf.tensor2d(tf.getBackend() === "wasm" ? values : values.slice(), shape);
}

/** Draws the partner of each image, and one share for the whole batch: mixup (arXiv:1710.09412). */
function drawBlend(count: number, alpha: number, random: Random): Blend {
  const share = symmetricBeta(alpha, random);
  const partners = range(count);
  random.shuffle(partners);
  return { partners, share };
}

/**
 * Draws from Beta(α, α), for α of at most 1, by Jöhnk's algorithm (M. D. Jöhnk, Metrika 8, 1964).
 *
 * @returns a number in 0..1
 */
export function symmetricBeta(alpha: number, random: Random): number {
  for (;;) {
    const x = random.uniform() ** (1 / alpha), y = random.uniform() ** (1 / alpha);
    if (x + y > 0 && x + y <= 1) return x / (x + y);
  }
}

/**
 * Dropout masks: each feature is dropped with the given probability, and the others are scaled so that the expected
 * sum is unchanged (inverted dropout). TensorFlow.js's own `dropout` draws the same mask in every step when it is
 * seeded.
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
  return hidden.map((features) =>
    upload(batchMemory.dropout(count * features, rate, random), [count, features])
  );
}

/** `0, 1, … count−1`. */
export function range(count: number, start = 0): Uint32Array<ArrayBuffer> {
  return Uint32Array.from({ length: count }, (_, i) => start + i);
}
