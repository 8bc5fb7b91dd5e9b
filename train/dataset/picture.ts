/**
 * One picture's way from its file's bytes to the model's input: the same two functions that the server calls.
 *
 * @module
 */
import { shortSideFor } from "../../shared/decode/limits.ts";
import { decodePicture } from "../../shared/decode/picture.ts";
import { fitImage, type Preprocessing } from "../../shared/image.ts";
import { MAX_PIXELS } from "./limits.ts";

/** What all pictures of a data set are fitted into. */
export interface InputShape {
  channels: 1 | 3;
  /** Pixels. */
  height: number;
  /** Pixels. */
  width: number;
  /** How pictures are fitted; the default is that of the channels. */
  preprocessing?: Preprocessing;
}

/** Pixels, or what is wrong with the file. */
export type Outcome = { pixels: Uint8Array<ArrayBuffer> } | { error: string };

/** Decodes and fits; a file that cannot be decoded is an outcome, not an exception. */
export async function readPicture(bytes: Uint8Array<ArrayBuffer>, shape: InputShape): Promise<Outcome> {
  try {
    const image = await decodePicture(bytes, { maxPixels: MAX_PIXELS, shortSide: shortSideFor(shape) });
    return { pixels: new Uint8Array(fitImage(image, shape)) };
  } catch (error) {
    return { error: (error as Error).message };
  }
}
