/** The options that choose a data set, which `train` and `evaluate` share. */
import { choice, number, type Option, text, UsageError } from "./command.ts";
import {
  type DatasetOptions,
  DATASETS,
  MAX_SIDE,
  meansFolder,
  MIN_SIDE,
  readLabels,
} from "../dataset/mod.ts";

/** A built-in data set or a folder of one's own. */
export function datasetOption(help: string, fallback?: string): Option<string> {
  return {
    value: "NAME|DIR",
    help,
    ...(fallback && { fallback }),
    parse: (name) => (DATASETS as readonly string[]).includes(name) || meansFolder(name) ? name : undefined,
    accepts: `one of ${DATASETS.join(", ")}, or a folder`,
  };
}

/** Options for a folder of one's own. */
export const folderOptions = {
  "image-size": number("Pixels along each side that pictures of a folder are fitted into", {
    min: MIN_SIDE,
    max: MAX_SIDE,
    whole: true,
    fallback: "28",
  }),
  channels: choice(["1", "3"], "Grey, or red, green and blue, for pictures of a folder", "1"),
  labels: text("FILE", 'Class names of an IDX set, one a line or a JSON array (default "0", "1", …)'),
  "split-seed": number("Draws the test split of a folder that comes without one", {
    min: 0,
    max: Number.MAX_SAFE_INTEGER,
    whole: true,
    fallback: "0",
  }),
};

/**
 * Turns those options into what `loadDataset()` takes.
 *
 * @throws {UsageError} if the data set is a built-in one, which has none of these to choose
 */
export async function readFolderOptions(
  dataset: string,
  values: {
    "image-size"?: number;
    channels?: "1" | "3";
    labels?: string;
    "split-seed"?: number;
    data?: string;
  },
): Promise<DatasetOptions> {
  const builtIn = (DATASETS as readonly string[]).includes(dataset);
  for (const key of [...Object.keys(folderOptions), "data"] as (keyof typeof values)[]) {
    if (values[key] === undefined || builtIn === (key === "data")) continue;
    throw new UsageError(
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
