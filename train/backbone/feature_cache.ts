/**
 * Caches features between runs, one file per backbone. The key is the SHA-256 of the pixels, so a change of the
 * picture or of its preprocessing is a miss.
 *
 * The layout is that of `train/dataset/pixel_cache.ts`: a header, hashes, features, and a SHA-256 of everything
 * before it. A file that does not end in its SHA-256 is ignored. It is written to a temporary file and renamed.
 *
 * @module
 */
import { join } from "node:path";
import { sha256 } from "../dataset/digest.ts";
import { removeOldest } from "../files/remove_oldest.ts";
import { DATA_FOLDER } from "../files/data_folder.ts";

/** The cache's folder, next to that of the decoded pictures. It can be deleted at any time. */
export const FEATURES_DIRECTORY = join(DATA_FOLDER, "cache/features");

/** Limit in bytes of all files together: 140,000 images of 1,856 features. */
export const MAX_CACHE_BYTES = 1024 ** 3;

// "SELVFEA" and the version of the layout; then the count and the number of features per image.
const MAGIC = Uint8Array.of(0x53, 0x45, 0x4c, 0x56, 0x46, 0x45, 0x41, 1);
const HEADER = MAGIC.length + 8, HASH = 32;

/** Features by the SHA-256 of the pixels, in hex. */
export type FeatureMap = Map<string, Float32Array>;

/**
 * Reads the cached features of a backbone.
 *
 * @param key SHA-256 of the backbone, in hex
 * @param size number of features per image
 * @returns an empty map if there is no file or it is damaged
 */
export async function readFeatures(
  key: string,
  size: number,
  directory = FEATURES_DIRECTORY,
): Promise<FeatureMap> {
  const features: FeatureMap = new Map();
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = await Deno.readFile(fileOf(key, directory));
  } catch {
    // If the file cannot be read for any reason, the features are computed again.
    return features;
  }
  // So that the oldest file is the least recently used one.
  await Deno.utime(fileOf(key, directory), new Date(), new Date()).catch(() => {});
  if (bytes.length < HEADER + HASH || MAGIC.some((byte, i) => bytes[i] !== byte)) return features;
  const view = new DataView(bytes.buffer);
  const count = view.getUint32(MAGIC.length), end = bytes.length - HASH;
  const start = HEADER + count * HASH;
  if (view.getUint32(MAGIC.length + 4) !== size || start + count * size * 4 !== end) return features;
  if (sha256(bytes.subarray(0, end)) !== bytes.subarray(end).toHex()) return features;
  const values = new Float32Array(bytes.buffer, start, count * size);
  for (let i = 0; i < count; i++) {
    const hash = bytes.subarray(HEADER + i * HASH, HEADER + (i + 1) * HASH).toHex();
    features.set(hash, values.subarray(i * size, (i + 1) * size));
  }
  return features;
}

/** Whether the cache has features of a backbone; the parameters are those of {@linkcode readFeatures}. */
export async function hasFeatures(key: string, size: number, directory?: string): Promise<boolean> {
  return (await readFeatures(key, size, directory)).size > 0;
}

/**
 * Replaces the cached features of a backbone, and removes the oldest files beyond the limit.
 *
 * @throws {Deno.errors} if it cannot be written; the existing file is then unchanged
 */
export async function writeFeatures(
  key: string,
  size: number,
  features: FeatureMap,
  directory = FEATURES_DIRECTORY,
  maxBytes = MAX_CACHE_BYTES,
): Promise<void> {
  const start = HEADER + features.size * HASH;
  const bytes = new Uint8Array(start + features.size * size * 4 + HASH);
  if (bytes.length > maxBytes) return;
  bytes.set(MAGIC);
  const view = new DataView(bytes.buffer);
  view.setUint32(MAGIC.length, features.size);
  view.setUint32(MAGIC.length + 4, size);
  const values = new Float32Array(bytes.buffer, start, features.size * size);
  let i = 0;
  for (const [hash, row] of features) {
    bytes.set(Uint8Array.fromHex(hash), HEADER + i * HASH);
    values.set(row, i * size);
    i++;
  }
  const end = bytes.length - HASH;
  bytes.set(Uint8Array.fromHex(sha256(bytes.subarray(0, end))), end);
  await Deno.mkdir(directory, { recursive: true });
  const file = fileOf(key, directory);
  const partial = `${file}.${crypto.randomUUID()}.partial`;
  try {
    await Deno.writeFile(partial, bytes, { createNew: true });
    await Deno.rename(partial, file);
  } catch (error) {
    await Deno.remove(partial).catch(() => {});
    throw error;
  }
  await removeOldest(directory, maxBytes);
}

function fileOf(key: string, directory: string): string {
  return join(directory, `${key.slice(0, 32)}.bin`);
}
