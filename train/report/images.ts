/** The test images behind the indices in `metrics.json`, where this machine has them. */
import { type Dataset, DATASETS, DatasetUnavailableError, loadDataset } from "../dataset/mod.ts";
import type { GalleryImages } from "./gallery.ts";
import type { RunMetrics } from "./metrics.ts";

/** How the gallery sees a data set. */
export function galleryImages({ test, height, width }: Dataset): GalleryImages {
  return { test, height, width, channels: test.images.length / (test.count * height * width) };
}

/**
 * Looks for the images that a run was tested on. Nothing is downloaded: that is for training.
 *
 * @param data the folder to look in
 * @returns the images, or why there are none
 */
export async function findImages(
  { provenance: { dataset: { name, sha256 } } }: RunMetrics,
  data: string | undefined,
): Promise<GalleryImages | string> {
  if (!DATASETS.some((known) => known === name)) return `this project does not know where to find "${name}"`;
  let dataset;
  try {
    dataset = await loadDataset(name, data === undefined || name === "silhouettes" ? {} : { data });
  } catch (error) {
    if (error instanceof DatasetUnavailableError) {
      return `${name} is not on this machine; name its folder with --data`;
    }
    throw error;
  }
  // Other images would be shown beside the right numbers.
  if (dataset.sha256 !== sha256) return `the ${name} at hand is not the one that the model was tested on`;
  return galleryImages(dataset);
}
