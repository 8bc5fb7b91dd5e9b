/**
 * A folder with an IDX set of any origin: MNIST, KMNIST, EMNIST, or your own. The files are found by their
 * names, as `train-images-idx3-ubyte`. Test files begin with `t10k` or `test`; names may have a prefix, as
 * `emnist-letters-`, and the suffix `.gz`.
 *
 * EMNIST needs two corrections, without which the model would not recognize upright letters: its images are
 * transposed (MATLAB, which wrote them, is column-major), and in some of its sets the labels start at 1.
 *
 * @module
 */
import { InputError } from "../../shared/errors.ts";
import { join } from "node:path";
import { digestSplits } from "./digest.ts";
import { checkLabels, type NamedBytes, readPair } from "./idx.ts";
import { MAX_SIDE, MIN_CLASSES, MIN_SIDE, TEST_SHARE } from "./limits.ts";
import { stratify } from "./stratify.ts";
import type { Dataset, DatasetOptions, Split } from "./types.ts";

const PATTERN = /^(.*?)(train|t10k|test)-(images|labels)[-.]idx[13]-ubyte(\.gz)?$/;

type Key = "train images" | "train labels" | "test images" | "test labels";

/** The files of one set, by their contents. */
export interface IdxFiles {
  /** What precedes `train`, as `emnist-letters-`. */
  prefix: string;
  paths: Map<Key, string>;
}

/**
 * Looks for an IDX set.
 *
 * @returns undefined if the folder has no such files at all
 * @throws {InputError} if it contains several sets, or an incomplete one
 */
export async function findIdx(folder: string): Promise<IdxFiles | undefined> {
  const sets = new Map<string, Map<Key, string>>();
  const names: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) if (!isDirectory) names.push(name);
  // The compressed file sorts last and wins, as for Fashion-MNIST.
  for (const name of names.sort()) {
    const [, prefix = "", part = "", kind] = PATTERN.exec(name) ?? [];
    if (kind === undefined) continue;
    const paths = sets.get(prefix) ?? new Map<Key, string>();
    sets.set(prefix, paths.set(`${part === "train" ? part : "test"} ${kind}` as Key, join(folder, name)));
  }
  const [first, second] = [...sets];
  if (!first) return undefined;
  if (second) {
    throw new InputError(
      "invalid-value",
      `Cannot use the folder "${folder}" as it must contain one IDX set: it has those of ` +
        [...sets.keys()].map((prefix) => `"${prefix}train…"`).join(", "),
      { hint: "Put the files of each set into a separate folder" },
    );
  }
  const [prefix, paths] = first;
  const has = (key: Key): boolean => paths.has(key);
  if (!has("train images") || !has("train labels") || has("test images") !== has("test labels")) {
    throw new InputError(
      "invalid-value",
      `Cannot use the folder "${folder}" as an IDX set must have images and labels: it has only the ` +
        `${[...paths.keys()].join(", the ")}`,
      { hint: `Add the missing files, named as "${prefix}train-images-idx3-ubyte"` },
    );
  }
  return { prefix, paths };
}

/**
 * Loads an IDX set. Its images are taken as they are, whatever their size.
 *
 * @throws {InputError} if a file cannot be read, or is not what it must be
 */
export async function loadIdxFolder(
  folder: string,
  { prefix, paths }: IdxFiles,
  name: string,
  options: DatasetOptions,
): Promise<Dataset> {
  const read = async (key: Key): Promise<NamedBytes> => {
    const path = paths.get(key)!;
    try {
      return { name: path, bytes: await Deno.readFile(path) };
    } catch (cause) {
      throw new InputError("invalid-value", `Cannot read "${path}": ${(cause as Error).message}`, { cause });
    }
  };
  const train = await readPair(await read("train images"), await read("train labels"));
  const test = paths.has("test images")
    ? await readPair(await read("test images"), await read("test labels"))
    : undefined;
  const { height, width } = train;
  checkSize(train, test, paths, options);
  const { labels, lowest } = nameClasses(train.labels, options.labels, folder);
  for (const [key, split] of [["train labels", train], ["test labels", test]] as const) {
    if (!split) continue;
    // A label below the lowest wraps around to a large one, which the check finds too.
    if (lowest > 0) { for (let i = 0; i < split.count; i++) split.labels[i]! -= lowest; }
    checkLabels(split.labels, labels.length, paths.get(key)!);
    if (prefix.startsWith("emnist")) split.images = transpose(split.images, height, width);
  }
  const seed = options.splitSeed ?? 0;
  const splits = test ? { train, test } : divide(train, labels.length, seed, folder);
  return {
    name,
    labels,
    channels: 1,
    height,
    width,
    ...splits,
    ...(!test && { splitSeed: seed }),
    sha256: digestSplits(splits.train, splits.test),
    source: folder,
  };
}

interface Sized {
  height: number;
  width: number;
}

function checkSize(
  train: Sized,
  test: Sized | undefined,
  paths: IdxFiles["paths"],
  options: DatasetOptions,
): void {
  const { height, width } = train;
  const file = paths.get("train images")!;
  if (Math.min(height, width) < MIN_SIDE || Math.max(height, width) > MAX_SIDE) {
    throw new InputError(
      "invalid-value",
      `Cannot use "${file}" as the sides of its images must be in ${MIN_SIDE}..${MAX_SIDE}: ` +
        `current size is ${height}×${width}`,
    );
  }
  if (test && (test.height !== height || test.width !== width)) {
    throw new InputError(
      "invalid-value",
      `Cannot use "${paths.get("test images")}" as its images must be ${height}×${width} as those of ` +
        `"${file}": current size is ${test.height}×${test.width}`,
    );
  }
  const { imageSize, channels } = options;
  if (imageSize !== undefined && (imageSize !== height || imageSize !== width)) {
    throw new InputError(
      "invalid-value",
      `Cannot use "${file}" with images of ${imageSize}×${imageSize} as IDX images are taken as they are: ` +
        `current size is ${height}×${width}`,
      { hint: "Omit --image-size" },
    );
  }
  if (channels === 3) {
    throw new InputError(
      "invalid-value",
      `Cannot use "${file}" with 3 channels as IDX images are grey`,
      { hint: "Omit --channels" },
    );
  }
}

/** Names from the options, or the numbers in the file. */
function nameClasses(
  numbers: Uint8Array,
  names: readonly string[] | undefined,
  folder: string,
): { labels: readonly string[]; lowest: number } {
  const highest = numbers.reduce((max, value) => Math.max(max, value), 0);
  const smallest = numbers.reduce((min, value) => Math.min(min, value), 255);
  // If there is a name for 0 too, class 0 exists and just has no image.
  const lowest = smallest === 1 && names?.length !== highest + 1 ? 1 : 0;
  const count = highest + 1 - lowest;
  if (count < MIN_CLASSES) {
    throw new InputError(
      "invalid-value",
      `Cannot use the folder "${folder}" as there must be at least ${MIN_CLASSES} classes: there is ${count}`,
    );
  }
  if (names && names.length < count) {
    throw new InputError(
      "invalid-value",
      `Cannot use the labels as there must be one for each of the ${count} classes of "${folder}", numbers ` +
        `${lowest} to ${highest}: current number is ${names.length}`,
    );
  }
  return { labels: names ?? Array.from({ length: count }, (_, i) => String(i + lowest)), lowest };
}

/** Turns rows into columns. */
function transpose(images: Uint8Array, height: number, width: number): Uint8Array {
  if (height !== width) return images;
  const out = new Uint8Array(images.length);
  for (let start = 0; start < images.length; start += height * width) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) out[start + y * width + x] = images[start + x * width + y]!;
    }
  }
  return out;
}

function divide(split: Split, classes: number, seed: number, folder: string): { train: Split; test: Split } {
  const counts = new Uint32Array(classes);
  for (const label of split.labels) counts[label]!++;
  const single = counts.indexOf(1);
  if (single !== -1) {
    throw new InputError(
      "invalid-value",
      `Cannot use the folder "${folder}" as a class must have at least 2 images, one for training and ` +
        `one for testing: there is 1 of label ${single}`,
    );
  }
  const { rest, sample } = stratify(split.labels, classes, TEST_SHARE, seed);
  return { train: pick(split, rest), test: pick(split, sample) };
}

function pick({ images, labels, count }: Split, indices: number[]): Split {
  const size = images.length / count;
  const picked = new Uint8Array(indices.length * size);
  for (const [to, from] of indices.entries()) {
    picked.set(images.subarray(from * size, (from + 1) * size), to * size);
  }
  return { images: picked, labels: Uint8Array.from(indices, (i) => labels[i]!), count: indices.length };
}
