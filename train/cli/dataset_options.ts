/** The options that choose a data set, which `train` and `evaluate` share. */
import { InputError } from "../../shared/errors.ts";
import {
  type DatasetOptions,
  DATASETS,
  isBuiltIn,
  MAX_SIDE,
  meansFolder,
  MIN_SIDE,
  readLabels,
} from "../dataset/mod.ts";
import { choice, number, type Option, seed, text, type Values } from "./options.ts";

/** A built-in data set or a folder. */
export function datasetOption(help: string, fallback?: string): Option<string> {
  return {
    value: "NAME|DIR",
    help,
    ...(fallback && { fallback }),
    parse: (name) => isBuiltIn(name) || meansFolder(name) ? name : undefined,
    accepts: `one of ${DATASETS.join(", ")}, or a folder`,
  };
}

/** The folder of Fashion-MNIST's files. */
export const dataOption: Option<string> = text(
  "DIR",
  "Folder with the four IDX files (default $FASHION_MNIST_DIR, data/fashion-mnist, download)",
);

/** Options for a folder of your own. */
export const folderOptions = {
  "image-size": number("Width and height in pixels that pictures of a folder are resized to", {
    min: MIN_SIDE,
    max: MAX_SIDE,
    whole: true,
    fallback: "28",
  }),
  channels: choice(["1", "3"], "1: pictures of a folder become grey, 3: they stay RGB", "1"),
  labels: text("FILE", 'Class names of an IDX set, one per line or a JSON array (default "0", "1", …)'),
  "split-seed": seed("Seed of the test split of a folder that has none"),
};

/**
 * Converts those options to what `loadDataset()` takes.
 *
 * @throws {InputError} `usage` if an option does not apply to the data set
 */
export async function readFolderOptions(
  dataset: string,
  values: Values<typeof folderOptions> & { data?: string },
): Promise<DatasetOptions> {
  const builtIn = isBuiltIn(dataset);
  for (const key of [...Object.keys(folderOptions), "data"] as (keyof typeof values)[]) {
    if (values[key] === undefined || builtIn === (key === "data")) continue;
    throw new InputError(
      "usage",
      builtIn
        ? `Option --${key} is for a folder of your own, named by --dataset DIR: current data set is "${dataset}"`
        : `Option --data is for the built-in data sets: current data set is the folder "${dataset}"`,
    );
  }
  return {
    ...(values["image-size"] !== undefined && { imageSize: values["image-size"] }),
    ...(values.channels !== undefined && { channels: values.channels === "3" ? 3 : 1 }),
    ...(values.labels !== undefined && { labels: await readLabels(values.labels) }),
    ...(values["split-seed"] !== undefined && { splitSeed: values["split-seed"] }),
  };
}
