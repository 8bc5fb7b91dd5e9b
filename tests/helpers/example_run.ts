/**
 * A small run with all that a run can have: three classes, ten test images, three epochs.
 *
 * @module
 */
import type { RunMetrics } from "../../train/artifact/metrics.ts";

/** A copy of its own for every test. */
export function exampleRun(): RunMetrics {
  const bin = (images: number, confidence: number, accuracy: number) => ({ images, confidence, accuracy });
  const empty = Array.from({ length: 12 }, () => bin(0, 0, 0));
  const hit = (label: string, images: number) => ({ label, precision: 0.75, recall: 0.5, f1: 0.6, images });
  return {
    name: "shapes",
    version: "0123456789ab",
    sha256: "0123456789ab".padEnd(64, "c"),
    bytes: 2_500_000,
    input: { channels: 1, height: 2, width: 2 },
    validation: { images: 8, accuracy: 0.75, loss: 0.5 },
    test: { images: 10, accuracy: 0.7, loss: 0.625 },
    calibration: {
      temperature: 1.25,
      ece: { before: 0.125, after: 0.0625 },
      loss: { before: 0.625, after: 0.5 },
      validation: { images: 8, ece: { before: 0.25, after: 0.125 }, loss: { before: 0.5, after: 0.4 } },
      bins: {
        before: [...empty, bin(2, 0.85, 0.5), bin(3, 0.9, 1), bin(5, 0.98, 0.6)],
        after: [...empty, bin(4, 0.84, 0.75), bin(3, 0.9, 1), bin(3, 0.95, 1 / 3)],
      },
    },
    familiarity: {
      threshold: 0.05,
      kept: 0.95,
      validation: { images: 8, kept: 1 },
      test: { kept: 0.9, accuracy: 0.75, ece: 0.05 },
      thresholds: [0.01, 0.05, 0.5],
      rejected: [0, 0.1, 0.5],
      outliers: Array.from({ length: 8 }, (_, i) => ({
        family: `kind ${i}`,
        chosenBy: i % 2 === 0,
        images: 16,
        auroc: 0.9 + i / 100,
        rejected: [0.125, 0.25 + i / 16, 1],
      })),
      maxDifference: 1e-6,
      seconds: 3,
    },
    classes: [hit("round", 4), hit("<square>", 3), { ...hit("a|b_c", 3), f1: 0.5 }],
    confusion: [[3, 1, 0], [0, 2, 1], [1, 0, 2]],
    mistakes: [
      { index: 7, actual: "round", predicted: "<square>", score: 0.96 },
      { index: 2, actual: "a|b_c", predicted: "round", score: 0.75 },
    ],
    maxLogitDifference: 1e-6,
    provenance: {
      dataset: { name: "silhouettes", sha256: "d".repeat(64) },
      recipe: { name: "default", epochs: 3, hidden: [4], weightDecay: 0.05 },
      seed: 7,
      backend: "wasm",
      codeVersion: "0.1.0",
    },
    command: "deno task train --dataset silhouettes --epochs 3 --seed 7 --backend wasm",
    bestEpoch: 2,
    seconds: 130,
    epochs: [1, 2, 3].map((epoch) => ({
      epoch,
      trainLoss: 1 / epoch,
      learningRate: 0.001,
      imagesPerSecond: 1000,
      validation: { accuracy: epoch === 2 ? 0.75 : 0.5, loss: 0.75 - epoch / 8 },
    })),
  };
}

/** The test images of {@linkcode exampleRun}: ten of 2×2 pixels, each pixel of its own shade. */
export const EXAMPLE_IMAGES = {
  test: {
    images: Uint8Array.from({ length: 40 }, (_, i) => i * 6),
    labels: Uint8Array.of(0, 2, 2, 1, 0, 1, 0, 0, 1, 2),
  },
  channels: 1,
  height: 2,
  width: 2,
};
