/**
 * Calibration: of the predictions with a confidence of 80 %, 80 % should be correct. Temperature scaling corrects
 * most of the error with one number, which divides the logits and is fitted on the validation images. It changes no
 * prediction, only the confidence
 * (Guo et al., On Calibration of Modern Neural Networks, 2017, https://arxiv.org/abs/1706.04599).
 *
 * @module
 */
import { InputError } from "../../shared/errors.ts";
import { argMax, crossEntropy, softmax } from "../../shared/softmax.ts";

/** Number of bins, as in the paper. */
export const BINS = 15;

/** The images with a confidence in one of 15 equal intervals of 0..1. */
export interface Bin {
  /** Number of images. */
  images: number;
  /** Mean probability of the predicted class, 0..1; 0 in an empty bin. */
  confidence: number;
  /** Share of correct predictions, 0..1; 0 in an empty bin. */
  accuracy: number;
}

/** How well a model's confidence matches its accuracy. */
export interface Reliability {
  /** Expected calibration error, 0..1: |confidence − accuracy| of a bin, averaged over the images. */
  ece: number;
  /** Mean cross-entropy. */
  loss: number;
  /** By confidence, ascending; bin `i` covers `(i/15, (i+1)/15]`. */
  bins: Bin[];
}

/** Logits with the correct classes. */
export interface Scored {
  /** `[N, classes]`, row-major. */
  logits: Float32Array;
  /** `[N]`, class indices. */
  labels: ArrayLike<number>;
}

/**
 * Measures how well confidence and accuracy match.
 *
 * @param temperature divides the logits
 * @throws {InputError} if there are no images, or not one row of logits per label
 */
export function reliability({ logits, labels }: Scored, temperature = 1): Reliability {
  const classes = checkClasses(logits, labels);
  const bins = Array.from({ length: BINS }, (): Bin => ({ images: 0, confidence: 0, accuracy: 0 }));
  let loss = 0;
  for (let i = 0; i < labels.length; i++) {
    const row = logits.subarray(i * classes, (i + 1) * classes);
    const predicted = argMax(row);
    const confidence = softmax(row, temperature)[predicted]!;
    loss += crossEntropy(row, labels[i]!, temperature);
    const bin = bins[Math.min(Math.max(Math.ceil(confidence * BINS) - 1, 0), BINS - 1)]!;
    bin.images++;
    bin.confidence += confidence;
    if (predicted === labels[i]) bin.accuracy++;
  }
  let ece = 0;
  for (const bin of bins) {
    if (bin.images === 0) continue;
    ece += Math.abs(bin.accuracy - bin.confidence) / labels.length;
    bin.confidence /= bin.images;
    bin.accuracy /= bin.images;
  }
  return { ece, loss: loss / labels.length, bins };
}

/**
 * The temperature with the lowest mean cross-entropy. The cross-entropy is convex in `1/T`, so a bracketed Newton
 * iteration finds its only minimum, the same on every machine.
 *
 * It is 1 if there is no minimum: if all predictions are correct, the cross-entropy falls with `T` towards 0, and if
 * the logits are no better than chance, it falls as `T` grows.
 *
 * @throws {InputError} if there are no images, or not one row of logits per label
 */
export function fitTemperature(scored: Scored): number {
  checkClasses(scored.logits, scored.labels);
  if (derivatives(scored, 0).slope >= 0 || isAllCorrect(scored)) return 1;
  let beta = 1, low = 0, high = Infinity;
  for (let step = 0; step < 200; step++) {
    const { slope, curvature } = derivatives(scored, beta);
    if (slope === 0) break;
    if (slope > 0) high = beta;
    else low = beta;
    let next = beta - slope / curvature;
    if (!(next > low && next < high)) next = high === Infinity ? 2 * beta : (low + high) / 2;
    const moved = Math.abs(next - beta);
    beta = next;
    if (moved <= 1e-13 * beta) break;
  }
  return 1 / beta;
}

/** First and second derivative of the mean cross-entropy of `β · logits` with respect to β. */
function derivatives({ logits, labels }: Scored, beta: number): { slope: number; curvature: number } {
  const classes = logits.length / labels.length;
  let slope = 0, curvature = 0;
  for (let i = 0; i < labels.length; i++) {
    const row = logits.subarray(i * classes, (i + 1) * classes);
    const max = row[argMax(row)]!;
    let mean = 0, square = 0;
    softmax(row, 1 / beta).forEach((p, c) => {
      const z = row[c]! - max;
      mean += p * z;
      square += p * z * z;
    });
    slope += mean - (row[labels[i]!]! - max);
    curvature += square - mean * mean;
  }
  return { slope: slope / labels.length, curvature: curvature / labels.length };
}

function isAllCorrect({ logits, labels }: Scored): boolean {
  const classes = logits.length / labels.length;
  for (let i = 0; i < labels.length; i++) {
    const row = logits.subarray(i * classes, (i + 1) * classes);
    // A tie with the largest counts as correct: such an image does not bound β either.
    if (row[labels[i]!]! < row[argMax(row)]!) return false;
  }
  return true;
}

function checkClasses(logits: Float32Array, labels: ArrayLike<number>): number {
  const classes = logits.length / labels.length;
  if (labels.length === 0 || !Number.isInteger(classes)) {
    throw new InputError(
      "invalid-shape",
      `Cannot calibrate as there must be a row of logits for each of one or more labels: ` +
        `current lengths are ${logits.length} and ${labels.length}`,
    );
  }
  return classes;
}

/** A temperature, and the metrics without (`before`) and with it (`after`). */
export interface Calibration {
  /** Divides the logits; 1 has no effect. */
  temperature: number;
  /** Expected calibration error on the test split, 0..1. */
  ece: BeforeAfter<number>;
  /** Mean cross-entropy on the test split. */
  loss: BeforeAfter<number>;
  /** On the validation images, on which the temperature was fitted; absent if there are none. */
  validation?: { images: number; ece: BeforeAfter<number>; loss: BeforeAfter<number> };
  /** Of the test split: what a reliability diagram shows. */
  bins: BeforeAfter<Bin[]>;
}

/** A value without and with the temperature. */
export interface BeforeAfter<T> {
  /** Without the temperature. */
  before: T;
  /** With the temperature. */
  after: T;
}

/**
 * Fits a temperature on the validation images and measures its effect on the test split.
 *
 * @param validation absent if there are no validation images
 * @param fallback the temperature in that case
 */
export function calibrate(test: Scored, validation?: Scored, fallback = 1): Calibration {
  // Four digits are more than 5,000 images determine, and the file and the report then state the same number.
  const temperature = validation ? Math.max(Number(fitTemperature(validation).toFixed(4)), 1e-4) : fallback;
  const on = (scored: Scored): BeforeAfter<Reliability> => ({
    before: reliability(scored),
    after: reliability(scored, temperature),
  });
  const each = <T>(
    { before, after }: BeforeAfter<Reliability>,
    read: (of: Reliability) => T,
  ): BeforeAfter<T> => ({
    before: read(before),
    after: read(after),
  });
  const onTest = on(test), onValidation = validation && on(validation);
  return {
    temperature,
    ece: each(onTest, ({ ece }) => ece),
    loss: each(onTest, ({ loss }) => loss),
    ...(validation && onValidation && {
      validation: {
        images: validation.labels.length,
        ece: each(onValidation, ({ ece }) => ece),
        loss: each(onValidation, ({ loss }) => loss),
      },
    }),
    bins: each(onTest, ({ bins }) => bins),
  };
}
