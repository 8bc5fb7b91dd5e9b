/**
 * The data sets to train on.
 *
 * @module
 */
import { InputError } from "../../shared/errors.ts";
import { loadFashionMnist } from "./fashion_mnist.ts";
import { loadOwn, meansFolder } from "./own.ts";
import { loadSilhouettes } from "./silhouettes.ts";
import type { Dataset, DatasetOptions } from "./types.ts";

export { readLabels } from "./label_file.ts";
export { MAX_PIXELS, MAX_SIDE, MIN_SIDE } from "./limits.ts";
export { meansFolder } from "./own.ts";
export type { Dataset, DatasetOptions, DatasetProgress, Split } from "./types.ts";

/** Names of the built-in data sets, the default first. */
export const DATASETS = ["fashion-mnist", "silhouettes"] as const;

/** One of {@linkcode DATASETS}. */
export type DatasetName = typeof DATASETS[number];

/** Whether a name is one of {@linkcode DATASETS}; else it means a folder. */
export function isBuiltIn(name: string): name is DatasetName {
  return (DATASETS as readonly string[]).includes(name);
}

const LOADERS: Record<DatasetName, (options: DatasetOptions) => Promise<Dataset>> = {
  "fashion-mnist": loadFashionMnist,
  "silhouettes": loadSilhouettes,
};

/**
 * Loads a data set.
 *
 * @param name one of {@linkcode DATASETS}, or a folder: of pictures by class, or with an IDX set
 * @throws {InputError} if there is no data set of that name
 * @throws {InputError} if a folder cannot be used
 * @throws {InputError} if there are neither files nor a network to get them from
 */
export async function loadDataset(name: string, options: DatasetOptions = {}): Promise<Dataset> {
  if (!isBuiltIn(name)) {
    if (meansFolder(name)) return await loadOwn(name, DATASETS, options);
    throw new InputError(
      "invalid-value",
      `Cannot load data set as the name must be one of "${DATASETS.join('", "')}", or a folder: ` +
        `current value is "${name}"`,
    );
  }
  return await LOADERS[name](options);
}
