/**
 * Measures an ONNX file with ONNX Runtime, the runtime that will serve it.
 *
 * @module
 */
import { InputError } from "../../shared/errors.ts";
import type { Classifier, Scores } from "../../shared/inference/classifier.ts";
import type { Split } from "../dataset/mod.ts";
import { argMax, crossEntropy } from "../../shared/softmax.ts";
import { reliability } from "./calibration.ts";
import { type KeptScore, scoreKept } from "./familiarity.ts";

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

/** How well a file classifies a split. */
export interface FileEvaluation extends Evaluation {
  /** Expected calibration error of the probabilities, 0..1. */
  ece: number;
  /** On the images that are familiar to the model; absent for models without that output. */
  familiarity?: KeptScore & { threshold: number };
}

/**
 * Runs a model over a split.
 *
 * @throws {InputError} if the images are not of the model's size, or a label is not one of its classes
 */
export async function evaluate(
  classifier: Classifier,
  split: Split,
  onProgress?: (images: number) => void,
): Promise<FileEvaluation> {
  const { description: { labels, familiarity } } = classifier;
  const scores = await allScores(classifier, split.images, onProgress);
  // The softmax of these is the probabilities, whatever the file did to its logits.
  const scored = {
    logits: scores.probabilities.map((p) => Math.log(Math.max(p, 1e-38))),
    labels: split.labels,
  };
  const evaluation = measure(scores.logits, split, labels);
  return {
    ...evaluation,
    ece: reliability(scored).ece,
    ...(familiarity && {
      familiarity: {
        threshold: familiarity.threshold,
        ...scoreKept(scored, scores.familiarity!, familiarity.threshold),
      },
    }),
  };
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
 * What a model computes for many images.
 *
 * @param images `[N, C, H, W]`, bytes 0..255
 * @param onProgress called with the number of images done
 */
export async function allScores(
  classifier: Classifier,
  images: Uint8Array,
  onProgress?: (images: number) => void,
): Promise<Scores> {
  const run = async (pixels: Uint8Array): Promise<Record<keyof Scores, Float32Array>> => ({
    ...await classifier.run(pixels),
  } as Record<keyof Scores, Float32Array>);
  return await inBatches(images, classifier.imageSize, run, onProgress);
}

/**
 * Runs a model over many images, some at a time.
 *
 * @param images `[N, C, H, W]`, bytes 0..255, or features `[N, D]`
 * @param imageSize C·H·W, or D
 * @param run from `[n, C, H, W]` or `[n, D]` to outputs `[n, …]`
 * @returns outputs `[N, …]`, row-major
 */
export async function inBatches<T extends Uint8Array | Float32Array, Name extends string>(
  images: T,
  imageSize: number,
  run: (batch: T) => Promise<Record<Name, Float32Array>>,
  onProgress?: (images: number) => void,
): Promise<Record<Name, Float32Array>> {
  const count = images.length / imageSize;
  const batchSize = Math.max(1, Math.min(MAX_BATCH_SIZE, Math.floor(MAX_BATCH_PIXELS / imageSize)));
  const all: Partial<Record<Name, Float32Array>> = {};
  for (let start = 0; start < count; start += batchSize) {
    const batch = await run(images.subarray(start * imageSize, (start + batchSize) * imageSize) as T);
    const end = Math.min(start + batchSize, count);
    for (const name in batch) {
      const size = batch[name].length / (end - start);
      (all[name] ??= new Float32Array(count * size)).set(batch[name], start * size);
    }
    onProgress?.(end);
  }
  return all as Record<Name, Float32Array>;
}
