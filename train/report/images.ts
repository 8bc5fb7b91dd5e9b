/** The test images that the indices in `metrics.json` refer to, if they are on this machine. */
import { InputError } from "../../shared/errors.ts";
import { type Dataset, isBuiltIn, loadDataset } from "../dataset/mod.ts";
import type { TestPictures } from "./examples.ts";
import type { RunMetrics } from "../artifact/metrics.ts";

/** The part of a data set that the gallery and the examples need. */
export function galleryImages({ test, height, width }: Dataset): TestPictures {
  return { test, height, width, channels: test.images.length / (test.count * height * width) };
}

/**
 * Loads the test images of a run. Nothing is downloaded.
 *
 * @param data folder with the data set's files
 * @returns the images, or why there are none
 */
export async function findImages(
  { provenance: { dataset: { name, sha256 } } }: RunMetrics,
  data: string | undefined,
): Promise<TestPictures | string> {
  if (!isBuiltIn(name)) return `"${name}" is not a built-in data set`;
  let dataset;
  try {
    dataset = await loadDataset(name, data === undefined || name === "silhouettes" ? {} : { data });
  } catch (error) {
    if (error instanceof InputError && error.code === "unavailable") {
      return `${name} is not on this machine; name its folder with --data`;
    }
    throw error;
  }
  // Other images would not match the numbers.
  if (dataset.sha256 !== sha256) {
    return `the ${name} on this machine is not the one that the model was tested on`;
  }
  return galleryImages(dataset);
}
