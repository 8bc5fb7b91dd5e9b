/**
 * Batches: the data set stays one array of bytes in memory, and each batch is copied out of it, scaled,
 * augmented and uploaded. That costs a tenth of a millisecond, where slicing a tensor costs several.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import type { Random } from "../../shared/random.ts";
import type { Split } from "../dataset/mod.ts";

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
  const size = split.images.length / split.count;
  const { flip = false, shift = 0, shiftProbability = 1, mixup = 0, labelSmoothing = 0, random } =
    augmentation ?? {};
  for (let start = 0; start < indices.length; start += batchSize) {
    const count = Math.min(batchSize, indices.length - start);
    const pixels = new Float32Array(count * size);
    const targets = new Float32Array(count * classes).fill(labelSmoothing / classes);
    for (let i = 0; i < count; i++) {
      const index = indices[start + i]!;
      const image = split.images.subarray(index * size, (index + 1) * size);
      const to = pixels.subarray(i * size, (i + 1) * size);
      const mirrored = flip && (random!.uint32() & 1) === 1;
      if (shift > 0 && random!.chance(shiftProbability)) {
        const right = random!.below(2 * shift + 1) - shift, down = random!.below(2 * shift + 1) - shift;
        move(image, to, options, mirrored, right, down);
      } else if (mirrored) mirror(image, to, options.width);
      else for (let p = 0; p < size; p++) to[p] = image[p]! / 255;
      targets[i * classes + split.labels[index]!]! += 1 - labelSmoothing;
    }
    const blended = mixup > 0 ? mix(pixels, targets, count, mixup, random!) : { pixels, targets };
    yield {
      images: tf.tensor2d(blended.pixels, [count, size]),
      targets: tf.tensor2d(blended.targets, [count, classes]),
      count,
    };
  }
}

function mirror(image: Uint8Array, to: Float32Array, width: number): void {
  for (let row = 0; row < image.length; row += width) {
    for (let x = 0; x < width; x++) to[row + x] = image[row + width - 1 - x]! / 255;
  }
}

/** Mirrors or not, and then moves; what comes in from outside is 0, as `to` must be. */
function move(
  image: Uint8Array,
  to: Float32Array,
  { width, height = image.length / width }: BatchOptions,
  mirrored: boolean,
  right: number,
  down: number,
): void {
  const rows = image.length / width; // of all channels, one plane after the other
  for (let row = 0; row < rows; row++) {
    const y = row % height - down;
    if (y < 0 || y >= height) continue;
    const from = (row - down) * width;
    for (let x = Math.max(0, right); x < Math.min(width, width + right); x++) {
      const column = mirrored ? width - 1 - (x - right) : x - right;
      to[row * width + x] = image[from + column]! / 255;
    }
  }
}

/** Blends each image and its target with another of the batch, all by the same share (arXiv:1710.09412). */
function mix(
  pixels: Float32Array,
  targets: Float32Array,
  count: number,
  alpha: number,
  random: Random,
): { pixels: Float32Array; targets: Float32Array } {
  const share = symmetricBeta(alpha, random);
  const partners = range(count);
  random.shuffle(partners);
  const blend = (values: Float32Array): Float32Array => {
    const size = values.length / count;
    const blended = new Float32Array(values.length);
    for (let i = 0; i < count; i++) {
      const own = i * size, other = partners[i]! * size;
      for (let p = 0; p < size; p++) {
        blended[own + p] = share * values[own + p]! + (1 - share) * values[other + p]!;
      }
    }
    return blended;
  };
  return { pixels: blend(pixels), targets: blend(targets) };
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
