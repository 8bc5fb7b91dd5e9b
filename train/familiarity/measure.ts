/**
 * Chooses and measures the threshold on a fitted familiarity, for the file and its report.
 *
 * @module
 */
import type { Familiarity } from "../../shared/contract.ts";
import type { Scored } from "../evaluation/calibration.ts";
import { auroc, type KeptScore, keptShare, scoreKept } from "../evaluation/familiarity.ts";
import type { FittedFamiliarity } from "./fit.ts";

/** The default share of the validation images that count as familiar. */
export const KEEP = 0.95;

/** The thresholds that reports show. */
const THRESHOLDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5] as const;

/** A familiarity, measured. */
export interface FamiliarityMetrics extends Familiarity {
  /** Measured on the test images. */
  test: KeptScore;
  /** Ascending familiarities, below each of which an image would be rejected. */
  thresholds: number[];
  /** Share of the test images that each threshold rejects. */
  rejected: number[];
  /** Generated images that are unlike the training images. */
  outliers: {
    family: string;
    /** Whether the directions were chosen by other images of this family. */
    chosenBy: boolean;
    images: number;
    /** Probability that a test image has a higher familiarity. */
    auroc: number;
    /** Share that each threshold rejects. */
    rejected: number[];
  }[];
  /** The largest difference between ONNX Runtime's familiarity and ours on the test images. */
  maxDifference: number;
  /** Seconds that the fit took. */
  seconds: number;
}

/** The threshold for a share to keep, and the share that it keeps of the images that it was calibrated on. */
export function chooseThreshold(
  { validation, kept }: FittedFamiliarity,
): Pick<Familiarity, "threshold" | "kept" | "validation"> {
  // The familiarity is a share already; twelve digits hide the rounding error of 1 − 0.95.
  const threshold = Number((1 - kept).toFixed(12));
  return {
    threshold,
    kept,
    validation: { images: validation.length, kept: keptShare(validation, threshold) },
  };
}

/**
 * Measures a familiarity on the test images and on generated images.
 *
 * @param test the test images, with the familiarity that ONNX Runtime computes
 * @param temperature divides the logits
 */
export function measureFamiliarity(
  fitted: FittedFamiliarity,
  test: Scored & { familiarity: Float32Array },
  temperature: number,
): Omit<FamiliarityMetrics, "maxDifference"> {
  const chosen = chooseThreshold(fitted);
  const rejected = (values: ArrayLike<number>): number[] =>
    THRESHOLDS.map((threshold) => 1 - keptShare(values, threshold));
  return {
    ...chosen,
    test: scoreKept(test, test.familiarity, chosen.threshold, temperature),
    thresholds: [...THRESHOLDS],
    rejected: rejected(test.familiarity),
    outliers: fitted.outliers.map(({ family, chosenBy, values }) => ({
      family,
      chosenBy,
      images: values.length,
      auroc: auroc(test.familiarity, values),
      rejected: rejected(values),
    })),
    seconds: fitted.seconds,
  };
}
