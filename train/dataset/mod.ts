/**
 * The data sets that one can train on, behind one door.
 *
 * @module
 */
import { loadFashionMnist } from "./fashion_mnist.ts";
import { loadOwn, meansFolder } from "./own.ts";
import { loadSilhouettes } from "./silhouettes.ts";
import type { Dataset, DatasetOptions } from "./types.ts";

export { readLabels } from "./label_file.ts";
export { MAX_SIDE, MIN_SIDE } from "./limits.ts";
export { meansFolder } from "./own.ts";
export { DatasetUnavailableError } from "./types.ts";
export type { Dataset, DatasetOptions, DatasetProgress, Split } from "./types.ts";

/** Names of the built-in data sets, the default first. */
export const DATASETS = ["fashion-mnist", "silhouettes"] as const;

/** One of {@linkcode DATASETS}. */
export type DatasetName = typeof DATASETS[number];

const LOADERS: Record<DatasetName, (options: DatasetOptions) => Promise<Dataset>> = {
  "fashion-mnist": loadFashionMnist,
  "silhouettes": loadSilhouettes,
};

/**
 * Loads a data set.
 *
 * @param name one of {@linkcode DATASETS}, or a folder: of pictures by class, or with an IDX set
 * @throws {RangeError} if there is no data set of that name
 * @throws {Error} if a folder cannot be used
 * @throws {DatasetUnavailableError} if there are neither files nor a network to get them from
 */
export async function loadDataset(name: string, options: DatasetOptions = {}): Promise<Dataset> {
  const known = DATASETS.find((candidate) => candidate === name);
  if (known === undefined) {
    if (meansFolder(name)) return await loadOwn(name, DATASETS, options);
    throw new RangeError(
      `Cannot load data set as the name must be one of "${DATASETS.join('", "')}", or a folder: ` +
        `current value is "${name}"`,
    );
  }
  // The wrapper keeps the loaders' second parameters, which are for tests, out of reach.
  return await LOADERS[known](options);
}
