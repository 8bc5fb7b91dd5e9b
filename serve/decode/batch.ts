/**
 * The images of a request. Each one is read on its own: a broken image does not fail the others.
 *
 * @module
 */
import type { ImageShape } from "../../shared/contract.ts";
import { InputError } from "../../shared/errors.ts";
import { hasContent } from "../../shared/image.ts";

/** Images in the order of the request. */
export interface Batch {
  /** Number of images, readable or not. */
  count: number;
  /** `[M, imageSize]` in 0..1: the readable images. */
  pixels: Float32Array;
  /** Why the other images could not be read, by index. */
  failures: ReadonlyMap<number, InputError>;
}

/** @throws {InputError} `too-large` if there are more than `max` images */
export function limitImages(count: number, max: number): void {
  if (count <= max) return;
  throw new InputError(
    "too-large",
    `Cannot classify as there must be at most ${max} images: current number is ${count}`,
  );
}

/**
 * Reads images one by one.
 *
 * @param imageSize numbers per image
 * @param read writes image `n` into `[imageSize]`, or throws an {@linkcode InputError} that says what is wrong
 * with it; any other error is a bug and fails the whole request
 */
export async function readBatch(
  count: number,
  imageSize: number,
  read: (n: number, target: Float32Array) => void | Promise<void>,
): Promise<Batch> {
  const pixels = new Float32Array(count * imageSize);
  const failures = new Map<number, InputError>();
  for (let n = 0; n < count; n++) {
    const start = (n - failures.size) * imageSize;
    try {
      await read(n, pixels.subarray(start, start + imageSize));
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      failures.set(n, error);
    }
  }
  return { count, pixels: pixels.subarray(0, (count - failures.size) * imageSize), failures };
}

/** Moves blank images to the failures, as `no-content`: the model would return a label for them, too. */
export function rejectBlank(
  { count, pixels, failures }: Batch,
  { channels, height, width }: ImageShape,
): Batch {
  const imageSize = channels * height * width;
  const all = new Map(failures);
  let kept = 0;
  for (let n = 0, start = 0; n < count; n++) {
    if (failures.has(n)) continue;
    const image = pixels.subarray(start, start += imageSize);
    if (hasContent(image, channels)) {
      if (kept < start - imageSize) pixels.copyWithin(kept, start - imageSize, start);
      kept += imageSize;
    } else {
      all.set(
        n,
        new InputError(
          "no-content",
          "Cannot classify the image as something in it must stand out from the background: it has only one colour",
        ),
      );
    }
  }
  return { count, pixels: pixels.subarray(0, kept), failures: all };
}
