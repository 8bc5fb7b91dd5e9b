/**
 * A folder of pictures, as one to train on: listed, decoded on every core, fitted as the server fits them, and
 * split if it does not come split.
 *
 * Pictures are ordered by class and by the SHA-256 of their files before anything is drawn, so neither the
 * files' names nor the order in which a disk lists them change a model.
 *
 * @module
 */
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

/** One picture, ready. */
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
 * @param cache where decoded pictures are kept
 * @throws {Error} if the folder is not laid out as it must be, or too many files cannot be read; the message
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
    throw new Error(
      `Cannot use the folder "${folder}" as its class folders must be called ${some(options.labels)}: ` +
        `they are called ${some(labels)}`,
    );
  }
  const shape: InputShape = { channels, height: imageSize, width: imageSize };
  const { train: learnt, test: tested, validation: held } = await readAll(listing, shape, {
    ...options,
    folder,
    ...(cache !== undefined && { cache }),
  });

  const drawn = tested ? { left: learnt, drawn: tested } : draw(learnt, labels, splitSeed, folder);
  checkClasses(drawn.left, labels, folder, tested ? 'in "train" ' : "");
  checkClasses(drawn.drawn, labels, folder, 'in "test" ');
  const hashes = new Set(drawn.left.map(({ hash }) => hash));
  const twins = drawn.drawn.filter(({ hash }) => hashes.has(hash)).length;
  if (twins > 0) {
    onNote?.(`NOTE: ${twins} of ${drawn.drawn.length} test images are training images too, byte for byte`);
  }
  // Class after class would be unlearnt one by one where a recipe keeps the order.
  new Random(splitSeed, 2).shuffle(drawn.left);
  const train = assemble([...drawn.left, ...held], labels.length, shape);
  const test = assemble(drawn.drawn, labels.length, shape);
  return {
    name,
    labels,
    ...shape,
    train,
    test,
    ...(held.length > 0 && { validation: held.length }),
    ...(!tested && { splitSeed }),
    sha256: digestSplits(train, test),
    source: folder,
  };
}

interface ReadOptions extends DatasetOptions {
  folder: string;
  cache?: string;
}

/** Reads every file of a listing, and says which it could not. */
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
    throw new RangeError(
      `Cannot use the folder "${folder}" as its ${files.length} images of ${size} bytes must fit into ` +
        `${MAX_DATASET_BYTES} bytes. Choose a smaller --image-size`,
    );
  }
  const cache = await PixelCache.open(root, shape, options.cache);
  if (cache.damaged) onNote?.("NOTE: the cache of decoded images is damaged, so they are decoded again");

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

/** A cache that cannot be written costs time, not the run. */
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
    onNote?.(`NOTE: the decoded images cannot be kept for the next run: ${(error as Error).message}`);
  }
}

function tooManySkipped(folder: string, skipped: Skipped[], total: number, allowed: number): Error {
  const lines = skipped.slice(0, 10).map(({ path, reason }) => `\n  ${path}: ${reason}`).join("");
  return new Error(
    `Cannot use the folder "${folder}" as at most ${allowed} of its ${total} files may be unreadable: there ` +
      `are ${skipped.length} or more. Mend or remove them${lines}${skipped.length > 10 ? "\n  …" : ""}`,
  );
}

function draw(
  pictures: Picture[],
  labels: string[],
  seed: number,
  folder: string,
): { left: Picture[]; drawn: Picture[] } {
  checkClasses(pictures, labels, folder, "", 2);
  const { left, drawn } = stratify(pictures.map(({ label }) => label), labels.length, TEST_SHARE, seed);
  return { left: left.map((i) => pictures[i]!), drawn: drawn.map((i) => pictures[i]!) };
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
  throw new Error(
    `Cannot use the folder "${folder}" as class "${labels[poor]}" must have at least ${
      least === 1 ? "1 readable image" : "2 readable images, one to learn from and one to test with"
    }: ${where}it has ${counts[poor]}. Add some or remove the class`,
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
