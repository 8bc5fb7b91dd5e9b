/**
 * A cache of decoded pictures between runs: one file for each folder and input shape. Pictures are looked up by the
 * SHA-256 of their source file, so a changed picture is decoded again, and one that was renamed or moved is not.
 *
 * A file ends with the SHA-256 of everything before it; one where it differs is ignored. The least recently used
 * files are removed when all files together exceed a limit.
 *
 * @module
 */
import { join } from "node:path";
import { preprocessingFor } from "../../shared/image.ts";
import { replaceFile } from "../files/replace_file.ts";
import { sha256 } from "./digest.ts";
import type { InputShape } from "./picture.ts";
import { removeOldest } from "../files/remove_oldest.ts";
import { DATA_FOLDER } from "../files/data_folder.ts";

/** Can be deleted at any time. */
export const CACHE = join(DATA_FOLDER, "cache/images");

/** Bytes of all files together: 1.3 million pictures of 28×28 in grey, or 87,000 of 64×64 in colour. */
export const MAX_CACHE_BYTES = 1024 ** 3;

/** To be incremented when a decoder's pixels change; `preprocessingFor` has its own version. */
const VERSION = 3;

// "SELVPIX" and the version of the layout, count, bytes a picture; then hashes, pictures, and the digest.
const MAGIC = Uint8Array.of(0x53, 0x45, 0x4c, 0x56, 0x50, 0x49, 0x58, 1);
const HEADER = MAGIC.length + 8, HASH = 32;

/** The decoded pictures of one folder. */
export class PixelCache {
  /** Whether there was a damaged file. */
  readonly damaged: boolean;
  readonly #directory: string;
  readonly #file: string;
  readonly #pictures: ReadonlyMap<string, Uint8Array>;

  private constructor(
    directory: string,
    file: string,
    pictures: ReadonlyMap<string, Uint8Array> | undefined,
    damaged: boolean,
  ) {
    this.#directory = directory;
    this.#file = file;
    this.#pictures = pictures ?? new Map();
    this.damaged = damaged;
  }

  /**
   * Reads the cache; without a file, or with a damaged one, it is empty.
   *
   * @param folder of the pictures, without links
   * @param directory of the caches
   */
  static async open(folder: string, shape: InputShape, directory = CACHE): Promise<PixelCache> {
    const { channels, height, width } = shape;
    const preprocessing = shape.preprocessing ?? preprocessingFor(channels);
    const about = JSON.stringify([VERSION, preprocessing, channels, height, width, folder]);
    const file = join(directory, `${sha256(new TextEncoder().encode(about)).slice(0, 32)}.bin`);
    let bytes: Uint8Array<ArrayBuffer>;
    try {
      bytes = await Deno.readFile(file);
    } catch {
      // Whatever the reason, the pictures can be decoded again.
      return new PixelCache(directory, file, undefined, false);
    }
    const pictures = decode(bytes, channels * height * width);
    // Marks the file as recently used.
    await Deno.utime(file, new Date(), new Date()).catch(() => {});
    return new PixelCache(directory, file, pictures, pictures === undefined);
  }

  /**
   * The picture that was decoded from a file.
   *
   * @param hash SHA-256 of the file, in hex
   */
  get(hash: string): Uint8Array | undefined {
    return this.#pictures.get(hash);
  }

  /**
   * Replaces the cache if it has changed, and removes the oldest caches beyond the limit.
   *
   * @throws {InputError} if it cannot be written; the existing file is unchanged then
   */
  async save(pictures: ReadonlyMap<string, Uint8Array>, maxBytes = MAX_CACHE_BYTES): Promise<void> {
    const same = pictures.size === this.#pictures.size &&
      [...pictures.keys()].every((hash) => this.#pictures.has(hash));
    const bytes = same || pictures.size === 0 ? undefined : encode(pictures);
    if (!bytes || bytes.length > maxBytes) return;
    await replaceFile(this.#file, bytes);
    await removeOldest(this.#directory, maxBytes);
  }
}

function encode(pictures: ReadonlyMap<string, Uint8Array>): Uint8Array<ArrayBuffer> {
  const size = pictures.values().next().value!.length;
  const start = HEADER + pictures.size * HASH;
  const bytes = new Uint8Array(start + pictures.size * size + HASH);
  bytes.set(MAGIC);
  const view = new DataView(bytes.buffer);
  view.setUint32(MAGIC.length, pictures.size);
  view.setUint32(MAGIC.length + 4, size);
  let i = 0;
  for (const [hash, pixels] of pictures) {
    bytes.set(Uint8Array.fromHex(hash), HEADER + i * HASH);
    bytes.set(pixels, start + i * size);
    i++;
  }
  const end = bytes.length - HASH;
  bytes.set(Uint8Array.fromHex(sha256(bytes.subarray(0, end))), end);
  return bytes;
}

/** Undefined if the file is damaged. */
function decode(bytes: Uint8Array<ArrayBuffer>, size: number): Map<string, Uint8Array> | undefined {
  if (bytes.length < HEADER + HASH || MAGIC.some((byte, i) => bytes[i] !== byte)) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const count = view.getUint32(MAGIC.length);
  const start = HEADER + count * HASH, end = bytes.length - HASH;
  if (view.getUint32(MAGIC.length + 4) !== size || start + count * size !== end) return undefined;
  if (sha256(bytes.subarray(0, end)) !== bytes.subarray(end).toHex()) return undefined;
  const pictures = new Map<string, Uint8Array>();
  for (let i = 0; i < count; i++) {
    const hash = bytes.subarray(HEADER + i * HASH, HEADER + (i + 1) * HASH).toHex();
    pictures.set(hash, bytes.subarray(start + i * size, start + (i + 1) * size));
  }
  return pictures;
}
