/**
 * Batches: the data set stays one array of bytes in memory, and each batch is copied out of it, scaled,
 * augmented in WebAssembly, and uploaded. Slicing a tensor would cost several milliseconds.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import type { Random } from "../../shared/random.ts";
import { batchMemory, type Blend } from "./batch_memory.ts";
import type { Features, Split } from "../dataset/types.ts";

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
  /** Pixels of a row. */
  width: number;
  /** Rows of a plane; needed for moving. */
  height?: number;
  /** What varies the images and their targets; absent for both as they are. */
  augmentation?: Augmentation;
}

/** How each image becomes a new one, every time that it is seen. */
export interface Augmentation {
  /** Mirrors with probability ½. */
  flip: boolean;
  /** Moves by up to so many pixels in each direction… */
  shift: number;
  /** …with this probability. */
  shiftProbability: number;
  /** α of mixup; 0 for none. */
  mixup: number;
  labelSmoothing: number;
  random: Random;
}

/**
 * Walks over the images at `indices` in that order. The last batch may be smaller. The caller disposes of
 * the tensors.
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

/** Numbers that the model takes for an image of a split: its features, or else its pixels. */
export function inputSize({ images, count, features }: Pick<Split, "images" | "count" | "features">): number {
  return features?.size ?? images.length / count;
}

/** The features of some images, a random view of each with augmentation, and blended like pixels. */
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

/** WASM copies the numbers at once; other backends keep the array that they are given. */
function upload(values: Float32Array, shape: [number, number]): tf.Tensor2D {
  return tf.tensor2d(tf.getBackend() === "wasm" ? values : values.slice(), shape);
}

/** Draws what each image and its target are blended with, all by the same share (arXiv:1710.09412). */
function drawBlend(count: number, alpha: number, random: Random): Blend {
  const share = symmetricBeta(alpha, random);
  const partners = range(count);
  random.shuffle(partners);
  return { partners, share };
}

/**
 * A number in 0..1 from Beta(α, α), for α of at most 1 (M. D. Jöhnk, Metrika 8, 1964): of two powers of
 * uniform numbers whose sum is at most 1, the share of the first.
 */
export function symmetricBeta(alpha: number, random: Random): number {
  for (;;) {
    const x = random.uniform() ** (1 / alpha), y = random.uniform() ** (1 / alpha);
    if (x + y > 0 && x + y <= 1) return x / (x + y);
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
  return hidden.map((features) =>
    upload(batchMemory.dropout(count * features, rate, random), [count, features])
  );
}

/** `0, 1, … count−1`. */
export function range(count: number, start = 0): Uint32Array<ArrayBuffer> {
  return Uint32Array.from({ length: count }, (_, i) => start + i);
}
