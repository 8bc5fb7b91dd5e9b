/**
 * A data set from pixels in memory.
 *
 * @module
 */
import { checkDataset } from "./check.ts";
import { digestSplits } from "./digest.ts";
import type { Dataset, Split } from "./types.ts";

/** Images and their classes. */
export interface SplitSource {
  /** `[N, channels, height, width]`, row-major, 0..255; in grey, 0 is the background. */
  images: Uint8Array;
  /** `[N]`, each an index into the data set's labels. */
  labels: Uint8Array | Uint16Array;
}

/** What {@linkcode createDataset} makes a data set of. */
export interface DatasetSource {
  /** Becomes the model's name, if that has none of its own. */
  name: string;
  /** The names of the classes. */
  labels: readonly string[];
  /** 1 is grey; 3 is red, green and blue, one plane after the other. */
  channels: 1 | 3;
  /** Pixels. */
  height: number;
  /** Pixels. */
  width: number;
  /** What the model learns from. */
  train: SplitSource;
  /** What the finished model is measured on. */
  test: SplitSource;
}

/**
 * Makes a data set of pixels in memory.
 *
 * @throws {InputError} `invalid-shape` if the pixels are not as many as the labels and the size say, `invalid-value`
 * if a size is not a positive integer, there are fewer than 2 classes, a label is not one of them or a split is empty
 *
 * @example
 * ```ts
 * import { createDataset, RECIPES, train } from "@selvedge/selvedge/train";
 *
 * // Class 0 is dark, class 1 is bright.
 * const labels = Uint8Array.from({ length: 200 }, (_, i) => i % 2);
 * const images = new Uint8Array(200 * 4 * 4).map((_, i) => labels[Math.floor(i / 16)]! * 200 + i % 40);
 * const split = { images, labels };
 * const dataset = createDataset({
 *   ...{ name: "brightness", labels: ["dark", "bright"], channels: 1, height: 4, width: 4 },
 *   ...{ train: split, test: split },
 * });
 * const recipe = { ...RECIPES.default, hidden: [8], epochs: 10, batchSize: 20, learningRate: 0.05, validation: 40 };
 * const { artifact } = await train({ dataset, recipe });
 * console.assert(artifact.metrics.test.accuracy === 1);
 * ```
 */
export function createDataset({ train, test, ...source }: DatasetSource): Dataset {
  const withCount = ({ images, labels }: SplitSource): Split => ({ images, labels, count: labels.length });
  const dataset = { ...source, train: withCount(train), test: withCount(test), source: "memory", sha256: "" };
  checkDataset(dataset);
  return { ...dataset, sha256: digestSplits(dataset.train, dataset.test) };
}
