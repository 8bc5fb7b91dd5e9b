/**
 * Measures what a threshold on the familiarity keeps, and what it rejects.
 *
 * @module
 */
import { type Reference, REFERENCE_BINS } from "../../shared/contract.ts";
import { argMax, softmax } from "../../shared/softmax.ts";
import { reliability, type Scored } from "./calibration.ts";

/** Metrics of a model on the images that are familiar to it. */
export interface KeptScore {
  /** Share of the images whose familiarity is not below the threshold, 0..1. */
  kept: number;
  /** Share of the kept images that are classified correctly, 0..1; absent if none is kept. */
  accuracy?: number;
  /** Expected calibration error on the kept images, 0..1; absent if none is kept. */
  ece?: number;
}

/** The share of values that are not below the threshold; 0 if there are none. */
export function keptShare(familiarity: ArrayLike<number>, threshold: number): number {
  let kept = 0;
  for (let i = 0; i < familiarity.length; i++) if (familiarity[i]! >= threshold) kept++;
  return familiarity.length && kept / familiarity.length;
}

/**
 * Measures a model on the images that are familiar to it.
 *
 * @param familiarity `[N]`, of the same images as the logits
 * @param temperature divides the logits
 */
export function scoreKept(
  { logits, labels }: Scored,
  familiarity: ArrayLike<number>,
  threshold: number,
  temperature = 1,
): KeptScore {
  const classes = logits.length / labels.length;
  const indices = Array.from(labels, (_, i) => i).filter((i) => familiarity[i]! >= threshold);
  const kept = indices.length / labels.length;
  if (indices.length === 0) return { kept };
  const rows = new Float32Array(indices.length * classes);
  let hits = 0;
  for (const [row, i] of indices.entries()) {
    const scores = logits.subarray(i * classes, (i + 1) * classes);
    rows.set(scores, row * classes);
    if (argMax(scores) === labels[i]) hits++;
  }
  const { ece } = reliability({ logits: rows, labels: indices.map((i) => labels[i]!) }, temperature);
  return { kept, accuracy: hits / indices.length, ece };
}

/**
 * The area under the ROC curve: the probability that a familiar image has a higher familiarity than an unfamiliar one.
 * 0.5 is chance. Of two equal values, each counts as higher half of the time.
 *
 * @param familiar one or more values
 * @param unfamiliar one or more values
 */
export function auroc(familiar: ArrayLike<number>, unfamiliar: ArrayLike<number>): number {
  const high = Float64Array.from(familiar).sort(), low = Float64Array.from(unfamiliar).sort();
  let below = 0, equal = 0, sum = 0;
  for (const value of high) {
    while (below < low.length && low[below]! < value) below++;
    equal = Math.max(equal, below);
    while (equal < low.length && low[equal]! <= value) equal++;
    sum += below + (equal - below) / 2;
  }
  return sum / (high.length * low.length);
}

/**
 * The distributions of a model's answers, which are stored in the file so that later answers can be compared.
 *
 * @param temperature divides the logits
 * @param familiarity of these or other images; absent if the model has no such output
 */
export function referenceOf(
  { logits, labels }: Scored,
  temperature: number,
  familiarity?: ArrayLike<number>,
): Reference {
  const images = labels.length, size = logits.length / images;
  const classes = Array<number>(size).fill(0);
  const confidences = Float64Array.from({ length: images }, (_, i) => {
    const row = logits.subarray(i * size, (i + 1) * size);
    const predicted = argMax(row);
    classes[predicted]!++;
    return softmax(row, temperature)[predicted]!;
  });
  return {
    images,
    confidence: histogram(confidences),
    classes,
    ...(familiarity && { familiarity: histogram(familiarity) }),
  };
}

/** Counts of values in {@linkcode REFERENCE_BINS} bins of equal width over 0..1. */
function histogram(values: ArrayLike<number>): number[] {
  const counts = Array<number>(REFERENCE_BINS).fill(0);
  for (let i = 0; i < values.length; i++) {
    counts[Math.min(Math.floor(values[i]! * REFERENCE_BINS), REFERENCE_BINS - 1)]!++;
  }
  return counts;
}
