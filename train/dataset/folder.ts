/**
 * A data set from a folder of pictures: listed, decoded on every core, fitted as the server fits them, and split
 * if the folder has no test split.
 *
 * Pictures are sorted by class and by the SHA-256 of their files before the split, so neither file names nor the
 * order of a directory listing change a model.
 *
 * @module
 */
import { InputError } from "../../shared/errors.ts";
import { join } from "node:path";
import { Random } from "../../shared/random.ts";
import { DecodePool } from "./decode_pool.ts";
import { digestSplits, sha256 } from "./digest.ts";
import { MAX_DATASET_BYTES, MAX_FILE_BYTES, MAX_SKIPPED, MAX_SKIPPED_SHARE, TEST_SHARE } from "./limits.ts";
import { type ImageFile, listImages, type Listing, type Skipped, whyUnreadable } from "./listing.ts";
import type { InputShape } from "./picture.ts";
import { PixelCache } from "./pixel_cache.ts";
import { stratify } from "./stratify.ts";
import type { Dataset, DatasetOptions, Split } from "./types.ts";

const DEFAULT_SIZE = 28;

/** One decoded picture. */
interface Picture {
  label: number;
  /** SHA-256 of its file, in hex. */
  hash: string;
  /** `[channels, height, width]` */
  pixels: Uint8Array;
}

/**
 * Loads a folder of pictures.
 *
 * @param cache folder of the cache of decoded pictures
 * @throws {InputError} if the folder is not laid out as it must be, or too many files cannot be read; the message
 * says what to do
 */
export async function loadFolder(
  folder: string,
  name: string,
  options: DatasetOptions = {},
  cache?: string,
): Promise<Dataset> {
  const { imageSize = DEFAULT_SIZE, channels = 1, splitSeed = 0, onNote } = options;
  const listing = await listImages(folder);
  const { labels } = listing;
  if (options.labels && options.labels.join("\n") !== labels.join("\n")) {
    throw new InputError(
      "invalid-value",
      `Cannot use the folder "${folder}" as its class folders must be called ${some(options.labels)}: ` +
        `they are called ${some(labels)}`,
    );
  }
  const { preprocessing } = options;
  const shape: InputShape = {
    channels,
    height: imageSize,
    width: imageSize,
    ...(preprocessing && { preprocessing }),
  };
  const { train: pictures, test: ownTest, validation } = await readAll(listing, shape, {
    ...options,
    folder,
    ...(cache !== undefined && { cache }),
  });

  const split = ownTest ? { train: pictures, test: ownTest } : draw(pictures, labels, splitSeed, folder);
  checkClasses(split.train, labels, folder, ownTest ? 'in "train" ' : "");
  checkClasses(split.test, labels, folder, 'in "test" ');
  const classesOf = new Map<string, Set<number>>();
  for (const { hash, label } of [...pictures, ...ownTest ?? [], ...validation]) {
    classesOf.set(hash, (classesOf.get(hash) ?? new Set()).add(label));
  }
  const ambiguous = [...classesOf.values()].filter(({ size }) => size > 1).length;
  if (ambiguous > 0) onNote?.(`NOTE: ${ambiguous} images are in more than one class, byte for byte`);
  const hashes = new Set(split.train.map(({ hash }) => hash));
  const twins = split.test.filter(({ hash }) => hashes.has(hash)).length;
  if (twins > 0) {
    onNote?.(`NOTE: ${twins} of ${split.test.length} test images are training images too, byte for byte`);
  }
  // Sorted by class, a recipe that keeps the order would forget one class while it trains on the next.
  new Random(splitSeed, 2).shuffle(split.train);
  const train = assemble([...split.train, ...validation], labels.length, shape);
  const test = assemble(split.test, labels.length, shape);
  return {
    name,
    labels,
    ...shape,
    train,
    test,
    ...(validation.length > 0 && { validation: validation.length }),
    ...(!ownTest && { splitSeed }),
    sha256: digestSplits(train, test),
    source: folder,
  };
}

interface ReadOptions extends DatasetOptions {
  folder: string;
  cache?: string;
}

/** Reads every file of a listing, and reports those that are unreadable. */
async function readAll(
  listing: Listing,
  shape: InputShape,
  options: ReadOptions,
): Promise<{ train: Picture[]; test?: Picture[]; validation: Picture[] }> {
  const { root, train, test = [], validation = [], skipped } = listing;
  const { folder, onNote, onProgress, signal } = options;
  const files = [...train, ...test, ...validation];
  const size = shape.channels * shape.height * shape.width;
  if (files.length * size > MAX_DATASET_BYTES) {
    throw new InputError(
      "invalid-value",
      `Cannot use the folder "${folder}" as its ${files.length} images of ${size} bytes must fit into ` +
        `${MAX_DATASET_BYTES} bytes`,
      { hint: "Choose a smaller --image-size" },
    );
  }
  const cache = await PixelCache.open(root, shape, options.cache);
  if (cache.damaged) onNote?.("NOTE: the cache of decoded images is damaged; they are decoded again");

  const total = files.length + skipped.length;
  const allowed = Math.min(MAX_SKIPPED, Math.max(1, Math.floor(total * MAX_SKIPPED_SHARE)));
  const pictures: (Picture | undefined)[] = Array(files.length);
  const pool = new DecodePool(shape, files.length);
  let next = 0, done = 0;
  const work = async (): Promise<void> => {
    while (next < files.length) {
      signal?.throwIfAborted();
      if (skipped.length > allowed) throw tooManySkipped(folder, skipped, total, allowed);
      const i = next++;
      const read = await readFile(root, files[i]!, cache, pool);
      if ("reason" in read) skipped.push(read);
      else pictures[i] = read;
      onProgress?.({ label: "Reading images", done: ++done, total: files.length, unit: "images" });
    }
  };
  try {
    await Promise.all(Array.from({ length: pool.width }, work));
  } finally {
    pool.close();
  }
  if (skipped.length > allowed) throw tooManySkipped(folder, skipped, total, allowed);
  for (const { path, reason } of skipped.sort(byPath)) onNote?.(`Skipped "${path}": ${reason}`);
  await keep(cache, pictures, onNote);

  const part = (from: number, count: number): Picture[] =>
    pictures.slice(from, from + count).filter((picture) => picture !== undefined).sort(byContent);
  return {
    train: part(0, train.length),
    ...(listing.test && { test: part(train.length, test.length) }),
    validation: part(train.length + test.length, validation.length),
  };
}

async function readFile(
  root: string,
  { path, label }: ImageFile,
  cache: PixelCache,
  pool: DecodePool,
): Promise<Picture | Skipped> {
  const file = join(root, path);
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    const { size } = await Deno.stat(file);
    if (size > MAX_FILE_BYTES) {
      return { path, reason: `it must have at most ${MAX_FILE_BYTES} bytes: current size is ${size}` };
    }
    bytes = await Deno.readFile(file);
  } catch (error) {
    return { path, reason: `it ${whyUnreadable(error)}` };
  }
  const hash = sha256(bytes);
  const kept = cache.get(hash);
  if (kept) return { label, hash, pixels: kept };
  const outcome = await pool.decode(bytes);
  return "error" in outcome ? { path, reason: outcome.error } : { label, hash, pixels: outcome.pixels };
}

/** A cache that cannot be written does not stop the run. */
async function keep(
  cache: PixelCache,
  pictures: (Picture | undefined)[],
  onNote: DatasetOptions["onNote"],
): Promise<void> {
  const kept = new Map<string, Uint8Array>();
  for (const picture of pictures) if (picture) kept.set(picture.hash, picture.pixels);
  try {
    await cache.save(kept);
  } catch (error) {
    onNote?.(`NOTE: cannot cache the decoded images for the next run: ${(error as Error).message}`);
  }
}

function tooManySkipped(folder: string, skipped: Skipped[], total: number, allowed: number): Error {
  const lines = skipped.slice(0, 10).map(({ path, reason }) => `\n  ${path}: ${reason}`).join("");
  return new InputError(
    "invalid-value",
    `Cannot use the folder "${folder}" as at most ${allowed} of its ${total} files may be unreadable: there ` +
      `are ${skipped.length} or more${lines}${skipped.length > 10 ? "\n  …" : ""}`,
    { hint: "Repair or remove them" },
  );
}

function draw(
  pictures: Picture[],
  labels: string[],
  seed: number,
  folder: string,
): { train: Picture[]; test: Picture[] } {
  checkClasses(pictures, labels, folder, "", 2);
  const split = stratify(pictures.map(({ label }) => label), labels.length, TEST_SHARE, seed);
  return { train: split.rest.map((i) => pictures[i]!), test: split.sample.map((i) => pictures[i]!) };
}

function checkClasses(
  pictures: Picture[],
  labels: string[],
  folder: string,
  where: string,
  least: 1 | 2 = 1,
): void {
  const counts = new Uint32Array(labels.length);
  for (const { label } of pictures) counts[label]!++;
  const poor = counts.findIndex((count) => count < least);
  if (poor === -1) return;
  throw new InputError(
    "invalid-value",
    `Cannot use the folder "${folder}" as class "${labels[poor]}" must have at least ${
      least === 1 ? "1 readable image" : "2 readable images, one for training and one for testing"
    }: ${where}it has ${counts[poor]}`,
    { hint: "Add some or remove the class" },
  );
}

function assemble(pictures: Picture[], classes: number, { channels, height, width }: InputShape): Split {
  const size = channels * height * width;
  const count = pictures.length;
  const images = new Uint8Array(count * size);
  const labels = classes > 256 ? new Uint16Array(count) : new Uint8Array(count);
  for (const [i, picture] of pictures.entries()) {
    images.set(picture.pixels, i * size);
    labels[i] = picture.label;
  }
  return { images, labels, count };
}

function byContent(a: Picture, b: Picture): number {
  return a.label - b.label || (a.hash < b.hash ? -1 : Number(a.hash > b.hash));
}

function byPath(a: Skipped, b: Skipped): number {
  return a.path < b.path ? -1 : 1;
}

function some(names: readonly string[]): string {
  return names.slice(0, 10).map((name) => `"${name}"`).join(", ") + (names.length > 10 ? ", …" : "");
}
