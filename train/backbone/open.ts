/**
 * Opens a backbone by its name or its file, and computes the features of a data set.
 *
 * @module
 */
import { basename } from "node:path";
import { InputError } from "../../shared/errors.ts";
import type { DownloadOptions } from "../dataset/download.ts";
import { sha256 } from "../dataset/digest.ts";
import type { Dataset, Split } from "../dataset/mod.ts";
import { type Backbone, type BackboneOptions, prepareBackbone } from "./backbone.ts";
import { extractFeatures, type Extraction, type ExtractOptions } from "./extract.ts";
import { readNetwork } from "./network.ts";
import { BACKBONES, DEFAULT_BACKBONE, fetchBackbone, IMAGENET } from "./registry.ts";

/** Options of {@linkcode openBackbone}. */
export type OpenOptions = Partial<BackboneOptions> & {
  /** Progress and cancellation of a download. */
  download?: DownloadOptions;
};

/**
 * Opens a backbone: a named one, which is downloaded once, or an ONNX file.
 *
 * @example
 * ```ts
 * import { InputError, openBackbone } from "@selvedge/selvedge/train";
 *
 * const error = await openBackbone("resnet").catch((error) => error);
 * console.assert(error instanceof InputError && error.code === "not-found");
 * ```
 *
 * @throws {InputError} if there is none of that name, it cannot be downloaded, or it cannot be used
 */
export async function openBackbone(nameOrFile: string, options: OpenOptions = {}): Promise<Backbone> {
  const { download, normalization, ...rest } = options;
  const name = nameOrFile === "default" ? DEFAULT_BACKBONE : nameOrFile;
  const known = Object.hasOwn(BACKBONES, name) ? BACKBONES[name]! : undefined;
  if (!known && !/[/\\]|\.onnx$/i.test(name)) {
    throw new InputError(
      "not-found",
      `Cannot open the backbone as its name must be one of default, ${
        Object.keys(BACKBONES).join(", ")
      }, or a ` +
        `file that ends in ".onnx": current value is "${name}"`,
    );
  }
  const path = known ? await fetchBackbone(known, download) : name;
  const network = await readNetwork(path);
  const origin = {
    name: known ? name : basename(name).replace(/\.onnx$/i, ""),
    fileSha256: known?.file.sha256 ?? sha256(await Deno.readFile(path)),
    ...(known && { licence: known.licence, source: known.source }),
  };
  return await prepareBackbone(network, origin, {
    normalization: normalization ?? known?.normalization ?? IMAGENET,
    ...(known && { imageSize: known.imageSize }),
    ...rest,
  });
}

/** Number of images for the comparison of int8 weights with float32 ones. */
const COMPARED = 32;

/**
 * How much int8 weights change the features of some images: the mean square of the difference, as a share of the
 * variance between the images.
 */
export async function int8Noise(
  int8: Backbone,
  float32: Backbone,
  { images, count }: Split,
): Promise<number> {
  const imageSize = images.length / count;
  const some = images.subarray(0, Math.min(COMPARED, count) * imageSize);
  const options = { directory: "" };
  const [a, b] = [await extractFeatures(int8, some, options), await extractFeatures(float32, some, options)];
  const size = float32.size, rows = b.features.length / size;
  let difference = 0, variance = 0;
  for (let i = 0; i < size; i++) {
    let sum = 0, squares = 0;
    for (let row = 0; row < rows; row++) {
      const value = b.features[row * size + i]!;
      sum += value;
      squares += value * value;
      difference += (a.features[row * size + i]! - value) ** 2;
    }
    variance += squares - sum * sum / rows;
  }
  return difference / variance;
}

/**
 * Computes the features of both splits of a data set. Only training images get views.
 *
 * @returns the data set with features, and how they were computed
 */
export async function withFeatures(
  dataset: Dataset,
  backbone: Backbone,
  options: ExtractOptions = {},
): Promise<{ dataset: Dataset; train: Extraction; test: Extraction }> {
  const { views: _, ...forTest } = options;
  const train = await extractFeatures(backbone, dataset.train.images, options);
  const test = await extractFeatures(backbone, dataset.test.images, forTest);
  const attach = (split: Split, { features, views }: Extraction): Split => ({
    ...split,
    features: { values: features, size: backbone.size, views },
  });
  return {
    dataset: { ...dataset, train: attach(dataset.train, train), test: attach(dataset.test, test) },
    train,
    test,
  };
}
