/**
 * Images as JSON: `{"pixels": [0, 255, …]}` is one image, `{"images": [[0, 255, …], …]}` are several. Pixels
 * are numbers in 0..255, and fractions are kept: who has averaged or resampled images need not round them.
 *
 * @module
 */

const DECODER = new TextDecoder("utf-8", { fatal: true });

/**
 * Reads images out of JSON.
 *
 * @param bytes UTF-8
 * @param imageSize how many numbers an image has
 * @returns `[N, imageSize]` in 0..1
 * @throws {SyntaxError} if the bytes are no JSON
 * @throws {TypeError} if the JSON has another shape
 * @throws {RangeError} if a pixel is not in 0..255
 */
export function decodeJson(bytes: Uint8Array, imageSize: number): Float32Array {
  const images = imagesOf(parse(bytes));
  if (images.length === 0) throw new TypeError("Cannot read the images as there are none");
  const pixels = new Float32Array(images.length * imageSize);
  for (const [n, image] of images.entries()) {
    if (!Array.isArray(image)) {
      throw new TypeError(`Cannot read image ${n} as it must be ${ofPixels(imageSize)}`);
    }
    if (image.length !== imageSize) {
      throw new TypeError(
        `Cannot read image ${n} as it must be ${ofPixels(imageSize)}: current length is ${image.length}`,
      );
    }
    for (let i = 0; i < imageSize; i++) {
      const value: unknown = image[i];
      if (typeof value !== "number") {
        throw new TypeError(
          `Cannot read image ${n} as pixel ${i} must be a number: current type is ${typeOf(value)}`,
        );
      }
      // JSON has no NaN, but 1e999 is Infinity.
      if (value < 0 || value > 255) {
        throw new RangeError(
          `Cannot read image ${n} as pixel ${i} must be in 0..255: current value is ${value}`,
        );
      }
      pixels[n * imageSize + i] = value / 255;
    }
  }
  return pixels;
}

function parse(bytes: Uint8Array): unknown {
  let text: string;
  try {
    text = DECODER.decode(bytes);
  } catch {
    throw new SyntaxError("Cannot read the JSON as it must be UTF-8");
  }
  try {
    return JSON.parse(text);
  } catch {
    // The engine's own message differs between the runtimes and repeats the input.
    throw new SyntaxError("Cannot read the JSON as it is malformed");
  }
}

function imagesOf(json: unknown): unknown[] {
  const shape = 'Cannot read the JSON as it must be {"pixels": […]} or {"images": [[…], …]}';
  if (typeOf(json) !== "object") throw new TypeError(`${shape}: current type is ${typeOf(json)}`);
  const entries = Object.entries(json as Record<string, unknown>);
  const [key, value] = entries[0] ?? [];
  if (entries.length !== 1 || (key !== "pixels" && key !== "images")) {
    throw new TypeError(`${shape} and have no other keys: current number of keys is ${entries.length}`);
  }
  if (!Array.isArray(value)) throw new TypeError(`${shape}: current type of "${key}" is ${typeOf(value)}`);
  return key === "pixels" ? [value] : value;
}

function ofPixels(imageSize: number): string {
  return `an array of ${imageSize} numbers`;
}

function typeOf(value: unknown): string {
  return value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
}
