/**
 * The images of a request, of which some may be unreadable: each stands or falls alone.
 *
 * @module
 */

/** Images in the order of the request. */
export interface Batch {
  /** How many there are, readable or not. */
  count: number;
  /** `[M, imageSize]` in 0..1: the readable ones. */
  pixels: Float32Array;
  /** Why the others cannot be read, by index. */
  failures: ReadonlyMap<number, Error>;
}

/** The images are more than a request may have. */
export class TooManyImagesError extends RangeError {}

/** @throws {TooManyImagesError} if there are more than `max` */
export function limitImages(count: number, max: number): void {
  if (count <= max) return;
  throw new TooManyImagesError(
    `Cannot classify as there must be at most ${max} images: current number is ${count}`,
  );
}

/**
 * Reads images one by one.
 *
 * @param imageSize how many numbers an image has
 * @param read writes image `n` into `[imageSize]`, or throws a SyntaxError, TypeError or RangeError that says
 * what is wrong with it; what else it throws is a bug and ends it all
 */
export async function readBatch(
  count: number,
  imageSize: number,
  read: (n: number, target: Float32Array) => void | Promise<void>,
): Promise<Batch> {
  const pixels = new Float32Array(count * imageSize);
  const failures = new Map<number, Error>();
  for (let n = 0; n < count; n++) {
    const start = (n - failures.size) * imageSize;
    try {
      await read(n, pixels.subarray(start, start + imageSize));
    } catch (error) {
      if (!isRefusal(error)) throw error;
      failures.set(n, error);
    }
  }
  return { count, pixels: pixels.subarray(0, (count - failures.size) * imageSize), failures };
}

/** Whether an error is about the input: our decoders throw no others for that. */
export function isRefusal(error: unknown): error is SyntaxError | TypeError | RangeError {
  return error instanceof SyntaxError || error instanceof TypeError || error instanceof RangeError;
}
