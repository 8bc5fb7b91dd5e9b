/**
 * Measures an ONNX file with ONNX Runtime, the runtime that will serve it.
 *
 * @module
 */
import { InputError } from "../../shared/errors.ts";
import type { Classifier } from "../../shared/inference/classifier.ts";
import type { Split } from "../dataset/mod.ts";
import { argMax, crossEntropy } from "../../shared/softmax.ts";

/** Precision, recall and F1 of one class, each 0..1. */
export interface ClassScore {
  /** Name of the class. */
  label: string;
  /** Of the images predicted as this class, the share that is correct. */
  precision: number;
  /** Of the images of this class, the share that is predicted as such. */
  recall: number;
  /** The harmonic mean of precision and recall. */
  f1: number;
  /** Number of images of this class. */
  images: number;
}

/** How well a model classifies a split. */
export interface Evaluation {
  /** Number of images. */
  images: number;
  /** 0..1 */
  accuracy: number;
  /** Mean cross-entropy. */
  loss: number;
  /** In the order of the model's outputs. */
  classes: ClassScore[];
  /** `confusion[actual][predicted]`, in images. */
  confusion: number[][];
}

/** Images per inference: above 64, ONNX Runtime's time per image no longer falls. */
const MAX_BATCH_SIZE = 500;

/** Pixels of all images of an inference, so that its activations fit into WebAssembly's memory: 4 of 3×224×224. */
const MAX_BATCH_PIXELS = 4 * 3 * 224 * 224;

/**
 * Runs a model over a split.
 *
 * @throws {InputError} if the images are not of the model's size, or a label is not one of its classes
 */
export async function evaluate(
  classifier: Classifier,
  split: Split,
  onProgress?: (images: number) => void,
): Promise<Evaluation> {
  return measure(await allLogits(classifier, split.images, onProgress), split, classifier.description.labels);
}

/**
 * Computes the metrics of a model from its logits.
 *
 * @param logits `[N, classes]`, row-major
 * @throws {InputError} if a label of the split is not one of the classes
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
      throw new InputError(
        "invalid-value",
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
    const predicted = confusion.reduce((sum, row) => sum + row[c]!, 0);
    // A class without predictions or images has no precision or recall; scikit-learn reports 0 too.
    const precision = predicted && hits / predicted, recall = images && hits / images;
    return { label, precision, recall, f1: hits && 2 * precision * recall / (precision + recall), images };
  });
  const hits = confusion.reduce((sum, row, c) => sum + row[c]!, 0);
  return { images: split.count, accuracy: hits / split.count, loss: loss / split.count, classes, confusion };
}

/**
 * The logits of many images.
 *
 * @param images `[N, C, H, W]`, bytes 0..255
 * @param onProgress called with the number of images done
 * @returns `[N, classes]`, row-major
 */
export async function allLogits(
  classifier: Classifier,
  images: Uint8Array,
  onProgress?: (images: number) => void,
): Promise<Float32Array> {
  const run = async (pixels: Uint8Array): Promise<Float32Array> => (await classifier.run(pixels)).logits;
  return await inBatches(images, classifier.imageSize, run, onProgress);
}

/**
 * Runs a model over many images, some at a time.
 *
 * @param images `[N, C, H, W]`, bytes 0..255, or features `[N, D]`
 * @param imageSize C·H·W, or D
 * @param run from `[n, C, H, W]` or `[n, D]` to `[n, classes]`
 * @returns `[N, classes]`, row-major
 */
export async function inBatches<T extends Uint8Array | Float32Array>(
  images: T,
  imageSize: number,
  run: (batch: T) => Promise<Float32Array>,
  onProgress?: (images: number) => void,
): Promise<Float32Array> {
  const count = images.length / imageSize;
  const batchSize = Math.max(1, Math.min(MAX_BATCH_SIZE, Math.floor(MAX_BATCH_PIXELS / imageSize)));
  let logits = new Float32Array();
  for (let start = 0; start < count; start += batchSize) {
    const batch = await run(images.subarray(start * imageSize, (start + batchSize) * imageSize) as T);
    const end = Math.min(start + batchSize, count);
    if (start === 0) logits = new Float32Array(batch.length / end * count);
    logits.set(batch, logits.length / count * start);
    onProgress?.(end);
  }
  return logits;
}
