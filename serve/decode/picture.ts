/**
 * From an image file to the model's input.
 *
 * @module
 */
import { InputError } from "../../shared/errors.ts";
import { decodePicture } from "../../shared/decode/picture.ts";
import { type PictureLimits, shortSideFor } from "../../shared/decode/limits.ts";
import { fitImage, type Target } from "../../shared/image.ts";
import { release } from "../../shared/release.ts";
import { scale } from "../../shared/inference/base_classifier.ts";
import type { Task, Turn } from "./task.ts";

/** Reads a picture into `[imageSize]` numbers in 0..1. */
export type ReadPicture = (
  bytes: Uint8Array<ArrayBuffer>,
  target: Float32Array,
  mediaType?: string,
) => Promise<void>;

/**
 * Makes a reader for the pictures of one request.
 *
 * @param input what the model takes, and how pictures are fitted into it
 * @param limits its budget is spent by each picture that is read
 * @throws (the reader) {InputError} if a picture is broken, too large, or the model takes neither grey nor RGB images
 */
export function pictureReader(input: Target, limits: PictureLimits): ReadPicture {
  return async (bytes, target, mediaType): Promise<void> => {
    if (input.channels !== 1 && input.channels !== 3) {
      throw new InputError(
        "unsupported",
        "Cannot read the image as the model takes neither grey nor RGB images",
      );
    }
    const image = await decodePicture(bytes, { ...limits, shortSide: shortSideFor(input) }, mediaType);
    // Both take long for a large picture.
    await limits.turn?.();
    try {
      const fitted = fitImage(image, input), scaled = scale(fitted);
      target.set(scaled);
      release(fitted as Uint8Array<ArrayBuffer>);
      release(scaled as Float32Array<ArrayBuffer>);
    } finally {
      release(image.data as Uint8Array<ArrayBuffer>);
    }
  };
}

/** The images of a request may have this many times `maxPixels` together. */
const LARGEST_PICTURES = 4;

/** Makes a reader for the image files of one request. */
export function requestPictures(
  { model: { input, preprocessing }, limits }: Task,
  turn: Turn,
): ReadPicture {
  const target = { ...input, ...(preprocessing && { preprocessing }) };
  return pictureReader(target, { ...pictureLimits(limits), turn });
}

/** The limits of the image files of one request. */
export function pictureLimits({ maxPixels }: Task["limits"]): PictureLimits {
  const budget = { pixels: LARGEST_PICTURES * maxPixels };
  return { maxPixels, budget };
}

/**
 * Reads base64, as it is or in a data URI (RFC 2397).
 *
 * @throws {InputError} `invalid-format` if it is neither
 */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const isUri = text.startsWith("data:");
  // The media type before the comma is ignored, as the file's first bytes determine the format.
  const comma = isUri ? text.slice(0, 256).indexOf(",") : -1;
  if (isUri && !/;base64$/i.test(text.slice(0, Math.max(comma, 0)))) {
    throw new InputError(
      "invalid-format",
      "Cannot read the image as its data URI must be data:<media type>;base64,…",
    );
  }
  try {
    return Uint8Array.fromBase64(text.slice(comma + 1));
  } catch {
    throw new InputError("invalid-format", "Cannot read the image as it must be base64 or a data URI");
  }
}
