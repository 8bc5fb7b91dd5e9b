/**
 * Measures an ONNX file with ONNX Runtime: what is reported is what will be served.
 *
 * @module
 */
import type { Classifier } from "../../shared/inference/classifier.ts";
import type { Split } from "../dataset/mod.ts";

/** Precision, recall and F1 of one class, each 0..1. */
export interface ClassScore {
  label: string;
  /** Of the images called this class, how many are. */
  precision: number;
  /** Of the images of this class, how many were called so. */
  recall: number;
  /** The harmonic mean of the two. */
  f1: number;
  /** How many images of this class there are. */
  images: number;
}

/** How a model does on a split. */
export interface Evaluation {
  images: number;
  /** 0..1 */
  accuracy: number;
  /** Mean cross-entropy. */
  loss: number;
  classes: ClassScore[];
  /** `confusion[actual][predicted]`, in images. */
  confusion: number[][];
}

/** How many images go through the model at once: past 64, ONNX Runtime's time per image no longer falls. */
const BATCH = 500;

/**
 * Runs a model over a split.
 *
 * @throws {TypeError} if the images are not of the model's size, or a label is beyond its classes
 */
export async function evaluate(
  classifier: Classifier,
  split: Split,
  onProgress?: (images: number) => void,
): Promise<Evaluation> {
  return measure(await allLogits(classifier, split.images, onProgress), split, classifier.description.labels);
}

/**
 * Counts what a model's logits for a split are worth.
 *
 * @param logits `[N, classes]`, row-major
 * @throws {TypeError} if a label of the split is beyond the classes
 */
export function measure(
  logits: Float32Array,
  split: Pick<Split, "labels" | "count">,
  labels: readonly string[],
): Evaluation {
  const confusion = labels.map(() => labels.map(() => 0));
  let loss = 0;
  for (let i = 0; i < split.count; i++) {
    const row = logits.subarray(i * labels.length, (i + 1) * labels.length);
    const actual = split.labels[i]!;
    if (actual >= labels.length) {
      throw new TypeError(
        `Cannot evaluate as the labels must be below the model's ${labels.length} classes: ` +
          `current value is ${actual} at image ${i}`,
      );
    }
    confusion[actual]![argMax(row)]!++;
    loss += crossEntropy(row, actual);
  }
  const classes = labels.map((label, c) => {
    const hits = confusion[c]![c]!;
    const images = confusion[c]!.reduce((sum, n) => sum + n, 0);
    const called = confusion.reduce((sum, row) => sum + row[c]!, 0);
    // A class that is never called or never there has no precision or recall; 0 is scikit-learn's answer.
    const precision = called && hits / called, recall = images && hits / images;
    return { label, precision, recall, f1: hits && 2 * precision * recall / (precision + recall), images };
  });
  const hits = confusion.reduce((sum, row, c) => sum + row[c]!, 0);
  return { images: split.count, accuracy: hits / split.count, loss: loss / split.count, classes, confusion };
}

/**
 * The logits of many images.
 *
 * @param images `[N, C, H, W]`, bytes 0..255
 * @returns `[N, classes]`, row-major
 */
export async function allLogits(
  classifier: Classifier,
  images: Uint8Array,
  onProgress?: (images: number) => void,
): Promise<Float32Array> {
  const size = classifier.imageSize;
  const count = images.length / size;
  const classes = classifier.description.labels.length;
  const logits = new Float32Array(count * classes);
  for (let start = 0; start < count; start += BATCH) {
    const scores = await classifier.run(images.subarray(start * size, (start + BATCH) * size));
    logits.set(scores.logits, start * classes);
    onProgress?.(Math.min(start + BATCH, count));
  }
  return logits;
}

/** The place of the largest value; of equal ones, the first. */
export function argMax(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}

/** −log softmax(logits)[target], in float64 and safe from overflow. */
export function crossEntropy(logits: Float32Array, target: number): number {
  const max = Math.max(...logits);
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - max);
  return Math.log(sum) - (logits[target]! - max);
}
