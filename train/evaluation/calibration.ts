/**
 * Calibration: of the images that a model is 80 % sure of, 80 % should be right. One number mends most of
 * what is amiss: a temperature `T` that divides the logits, fitted on images that the model has not learnt
 * from. It changes no label, only how sure the model says it is
 * (Guo et al., On Calibration of Modern Neural Networks, 2017, https://arxiv.org/abs/1706.04599).
 *
 * @module
 */
import { argMax } from "./evaluation.ts";

/** The paper's number of bins. */
export const BINS = 15;

/** The images whose confidence falls into one fifteenth of 0..1. */
export interface Bin {
  images: number;
  /** Mean probability of the class they were called, 0..1; 0 in an empty bin. */
  confidence: number;
  /** The share of them that was called rightly, 0..1; 0 in an empty bin. */
  accuracy: number;
}

/** How far a model can be believed. */
export interface Reliability {
  /** Expected calibration error, 0..1: how far confidence and accuracy of a bin are apart, over the images. */
  ece: number;
  /** Mean cross-entropy. */
  loss: number;
  /** From the least to the most confident; bin `i` holds confidences in `(i/15, (i+1)/15]`. */
  bins: Bin[];
}

/** Logits with the classes that they should have found. */
export interface Scored {
  /** `[N, classes]`, row-major. */
  logits: Float32Array;
  /** `[N]`, class indices. */
  labels: ArrayLike<number>;
}

/**
 * Measures how well confidence and accuracy agree.
 *
 * @param temperature divides the logits first; 1 leaves them as they are
 * @throws {RangeError} if there are no images
 */
export function reliability({ logits, labels }: Scored, temperature = 1): Reliability {
  const classes = checkClasses(logits, labels);
  const bins = Array.from({ length: BINS }, (): Bin => ({ images: 0, confidence: 0, accuracy: 0 }));
  let loss = 0;
  for (let i = 0; i < labels.length; i++) {
    const row = logits.subarray(i * classes, (i + 1) * classes);
    const called = argMax(row);
    let sum = 0;
    for (const logit of row) sum += Math.exp((logit - row[called]!) / temperature);
    loss += Math.log(sum) - (row[labels[i]!]! - row[called]!) / temperature;
    const confidence = 1 / sum;
    const bin = bins[Math.min(Math.max(Math.ceil(confidence * BINS) - 1, 0), BINS - 1)]!;
    bin.images++;
    bin.confidence += confidence;
    if (called === labels[i]) bin.accuracy++;
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
 * The temperature with the least mean cross-entropy. In `1/T` that is a convex function, so Newton's method
 * within a bracket finds its one minimum, the same on every machine.
 *
 * It is 1 where no minimum exists: if every image is called rightly, ever smaller temperatures look ever
 * better, and if the logits say nothing of the labels, ever larger ones do.
 *
 * @throws {RangeError} if there are no images
 */
export function fitTemperature(scored: Scored): number {
  checkClasses(scored.logits, scored.labels);
  if (slopes(scored, 0).slope >= 0 || allRight(scored)) return 1;
  let beta = 1, low = 0, high = Infinity;
  for (let step = 0; step < 200; step++) {
    const { slope, curvature } = slopes(scored, beta);
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
function slopes({ logits, labels }: Scored, beta: number): { slope: number; curvature: number } {
  const classes = logits.length / labels.length;
  let slope = 0, curvature = 0;
  for (let i = 0; i < labels.length; i++) {
    const row = logits.subarray(i * classes, (i + 1) * classes);
    const max = row[argMax(row)]!;
    let sum = 0, first = 0, second = 0;
    // Relative to the largest, which is what keeps the exponentials from overflowing.
    for (const logit of row) {
      const z = logit - max, p = Math.exp(beta * z);
      sum += p;
      first += p * z;
      second += p * z * z;
    }
    const mean = first / sum;
    slope += mean - (row[labels[i]!]! - max);
    curvature += second / sum - mean * mean;
  }
  return { slope: slope / labels.length, curvature: curvature / labels.length };
}

function allRight({ logits, labels }: Scored): boolean {
  const classes = logits.length / labels.length;
  for (let i = 0; i < labels.length; i++) {
    const row = logits.subarray(i * classes, (i + 1) * classes);
    // Equal to the largest is enough: such an image sets no limit to β either.
    if (row[labels[i]!]! < row[argMax(row)]!) return false;
  }
  return true;
}

function checkClasses(logits: Float32Array, labels: ArrayLike<number>): number {
  const classes = logits.length / labels.length;
  if (labels.length === 0 || !Number.isInteger(classes)) {
    throw new RangeError(
      `Cannot calibrate as there must be a row of logits for each of one or more labels: ` +
        `current lengths are ${logits.length} and ${labels.length}`,
    );
  }
  return classes;
}

/** A temperature and what it does, before and after. */
export interface Calibration {
  /** Divides the logits; 1 changes nothing. */
  temperature: number;
  /** Expected calibration error on the test images, 0..1. */
  ece: BeforeAfter<number>;
  /** Mean cross-entropy on the test images. */
  loss: BeforeAfter<number>;
  /** On the images that the temperature was fitted on; absent if none were held out. */
  validation?: { images: number; ece: BeforeAfter<number>; loss: BeforeAfter<number> };
  /** Of the test images: what a reliability diagram shows. */
  bins: BeforeAfter<Bin[]>;
}

export interface BeforeAfter<T> {
  before: T;
  after: T;
}

/**
 * Fits a temperature on held-out images and measures what it does for the test images.
 *
 * @param validation absent if no images are held out
 * @param given the temperature if none are: one that another run has found, or 1
 */
export function calibrate(test: Scored, validation?: Scored, given = 1): Calibration {
  // Four digits: 5,000 images tell no more, and the file and this report then name the same number.
  const temperature = validation ? Math.max(Number(fitTemperature(validation).toFixed(4)), 1e-4) : given;
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
  const tested = on(test), held = validation && on(validation);
  return {
    temperature,
    ece: each(tested, ({ ece }) => ece),
    loss: each(tested, ({ loss }) => loss),
    ...(validation && held && {
      validation: {
        images: validation.labels.length,
        ece: each(held, ({ ece }) => ece),
        loss: each(held, ({ loss }) => loss),
      },
    }),
    bins: each(tested, ({ bins }) => bins),
  };
}
