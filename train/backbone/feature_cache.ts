/**
 * Keeps features between runs, one file for each backbone. In it, features are found by the SHA-256 of the pixels
 * that they were computed from, so both the picture and its preprocessing decide.
 *
 * The layout is that of `train/dataset/pixel_cache.ts`: a header, hashes, features, and a SHA-256 of all before. A
 * file that does not end in its SHA-256 is ignored. It is written beside its place and renamed.
 *
 * @module
 */
import { join } from "node:path";
import { sha256 } from "../dataset/digest.ts";
import { removeOldest } from "../files/remove_oldest.ts";

/** Beside the decoded pictures, and as free to be deleted. */
export const FEATURES_DIRECTORY = join(import.meta.dirname!, "../../data/cache/features");

/** Bytes of all files together: 140,000 pictures of 1,856 features. */
export const MAX_CACHE_BYTES = 1024 ** 3;

// "SELVFEA" and the version of the layout; then count and features a picture.
const MAGIC = Uint8Array.of(0x53, 0x45, 0x4c, 0x56, 0x46, 0x45, 0x41, 1);
const HEADER = MAGIC.length + 8, HASH = 32;

/** Features by the SHA-256 of the pixels, in hex. */
export type FeatureMap = Map<string, Float32Array>;

/**
 * Reads what is kept for a backbone.
 *
 * @param key SHA-256 of the backbone, in hex
 * @param size features a picture
 * @returns nothing if there is no file or it is damaged
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
    // Whatever keeps it from being read, the features can be computed again.
    return features;
  }
  // So that the oldest is the one that was not used for longest.
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

/** Whether features of a backbone are kept from an earlier run; the parameters are those of {@linkcode readFeatures}. */
export async function hasFeatures(key: string, size: number, directory?: string): Promise<boolean> {
  return (await readFeatures(key, size, directory)).size > 0;
}

/**
 * Replaces what is kept for a backbone, and removes the oldest files beyond the bound.
 *
 * @throws {Deno.errors} if it cannot be written: then the file before is unchanged
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
