/**
 * Images as JSON: `{"pixels": [0, 255, …]}` or `{"image": …}` is one, `{"images": [ … ]}` are several. An image is
 * an array of numbers in 0..255, or a picture as base64 or a data URI. Fractions are kept, so averaged or
 * resampled images need not be rounded.
 *
 * @module
 */
import { InputError } from "../../shared/errors.ts";
import { type Batch, limitImages, readBatch } from "./batch.ts";
import { fromBase64, type ReadPicture } from "./picture.ts";
import type { Turn } from "./task.ts";

const DECODER = new TextDecoder("utf-8", { fatal: true });

export interface JsonOptions {
  /** Numbers per image. */
  imageSize: number;
  /** Maximum number of images. */
  maxBatchSize: number;
  readPicture: ReadPicture;
  turn: Turn;
}

/**
 * Reads images out of JSON.
 *
 * @param bytes UTF-8
 * @throws {InputError} `invalid-format` if the bytes are not JSON, `invalid-value` if the JSON has another shape or
 * no images, `too-large` if there are more than `maxBatchSize`, or more numbers than these have
 */
export async function decodeJson(bytes: Uint8Array, options: JsonOptions): Promise<Batch> {
  const { imageSize, maxBatchSize, readPicture, turn } = options;
  const images = imagesOf(parseJson(bytes, maxBatchSize * imageSize));
  await turn();
  if (images.length === 0) throw new InputError("invalid-value", "Cannot read the images as there are none");
  limitImages(images.length, maxBatchSize);
  return await readBatch(images.length, imageSize, (n, target) => {
    const image = images[n];
    if (typeof image === "string") return readPicture(fromBase64(image), target);
    return readPixels(image, n, target);
  });
}

/** Reads an array of numbers into `[imageSize]` in 0..1. */
function readPixels(image: unknown, n: number, target: Float32Array): void {
  const imageSize = target.length;
  if (!Array.isArray(image)) {
    throw new InputError(
      "invalid-value",
      `Cannot read image ${n} as it must be ${ofPixels(imageSize)} or a picture as base64: ` +
        `current type is ${typeOf(image)}`,
    );
  }
  if (image.length !== imageSize) {
    throw new InputError(
      "invalid-value",
      `Cannot read image ${n} as it must be ${ofPixels(imageSize)}: current length is ${image.length}`,
    );
  }
  for (let i = 0; i < imageSize; i++) {
    const value: unknown = image[i];
    if (typeof value !== "number") {
      throw new InputError(
        "invalid-value",
        `Cannot read image ${n} as pixel ${i} must be a number: current type is ${typeOf(value)}`,
      );
    }
    // JSON has no NaN, but 1e999 is Infinity.
    if (value < 0 || value > 255) {
      throw new InputError(
        "invalid-value",
        `Cannot read image ${n} as pixel ${i} must be in 0..255: current value is ${value}`,
      );
    }
    target[i] = value / 255;
  }
}

/**
 * Arrays, objects and keys of a document: 256 images nested row by row have 8,000. 4 MB can contain millions, which
 * take a second and 100 MB to parse, in one call that keeps all other requests waiting.
 */
const MAX_PARTS = 65_536;

/**
 * Parses JSON.
 *
 * @param maxNumbers how many elements its arrays may have in addition to the other parts
 * @throws {InputError} `invalid-format` if the bytes are not UTF-8 or not JSON, or have too many
 * arrays, objects and keys, `too-large` if the arrays have too many elements
 */
export function parseJson(bytes: Uint8Array, maxNumbers: number = 0): unknown {
  let parts = 0, commas = 0;
  // [ { : and commas, those in strings too, of which normal documents have few. By index: an iterator takes 13 ns a byte.
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte === 0x2c) commas++;
    else if (byte === 0x5b || byte === 0x7b || byte === 0x3a) parts++;
  }
  const most = MAX_PARTS + maxNumbers;
  if (commas > most) {
    throw new InputError(
      "too-large",
      `Cannot read the JSON as it must have at most ${most} elements: current number is ${commas}`,
    );
  }
  if (parts > MAX_PARTS) {
    throw new InputError(
      "invalid-format",
      `Cannot read the JSON as it has more than ${MAX_PARTS} arrays, objects and keys`,
    );
  }
  let text: string;
  try {
    text = DECODER.decode(bytes);
  } catch {
    throw new InputError("invalid-format", "Cannot read the JSON as it must be UTF-8");
  }
  try {
    return JSON.parse(text);
  } catch {
    // The engine's own message differs between the runtimes and repeats the input.
    throw new InputError("invalid-format", "Cannot read the JSON as it is malformed");
  }
}

function imagesOf(json: unknown): unknown[] {
  const shape = 'Cannot read the JSON as it must be {"pixels": […]}, {"image": …} or {"images": […, …]}';
  if (typeOf(json) !== "object") {
    throw new InputError("invalid-value", `${shape}: current type is ${typeOf(json)}`);
  }
  const keys = Object.keys(json as object);
  const [key] = keys;
  if (keys.length !== 1 || (key !== "pixels" && key !== "image" && key !== "images")) {
    throw new InputError(
      "invalid-value",
      `${shape} and have no other keys: current number of keys is ${keys.length}`,
    );
  }
  const value = (json as Record<string, unknown>)[key];
  if (!Array.isArray(value) && !(key === "image" && typeof value === "string")) {
    throw new InputError("invalid-value", `${shape}: current type of "${key}" is ${typeOf(value)}`);
  }
  return key === "images" ? value as unknown[] : [value];
}

function ofPixels(imageSize: number): string {
  return `an array of ${imageSize} numbers`;
}

function typeOf(value: unknown): string {
  return value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
}
