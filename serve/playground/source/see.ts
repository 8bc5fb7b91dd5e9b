/**
 * From a picture to what the model sees, by the code that the server uses.
 *
 * @module
 */
import type { PageModel } from "./page_model.ts";
import { fitPicture, hasContent, type Image } from "../../../shared/image.ts";

/** The options beside the picture. */
export interface View {
  /** Whether the margin is trimmed, as the server does. */
  crop: boolean;
  /** Whether bright and dark are exchanged at the end. */
  invert: boolean;
}

type Model = Pick<PageModel, "input" | "preprocessing">;

/** What the model sees of a picture. */
export interface Seen {
  /** `[C, H, W]`, 0..255 */
  pixels: Uint8Array<ArrayBuffer>;
  /** Whether there is anything on it. */
  isBlank: boolean;
  /** What was done to the picture, in words. */
  text: string;
}

/** Fits a picture into the model's input. */
export function see(image: Image, { input, preprocessing }: Model, { crop, invert }: View): Seen {
  const { pixels, box, isInverted } = fitPicture(image, {
    ...input,
    crop,
    ...(preprocessing && { preprocessing }),
  });
  const isBlank = !box || !hasContent(pixels, input.channels);
  const share = box ? box.width * box.height / (image.width * image.height) : 0;
  const isPhoto = /crop|squash|pad/.test(preprocessing ?? "");
  const texts = isBlank ? [] : isPhoto ? [] : [
    image.width === input.width && image.height === input.height
      ? "Used as it is: it has the model's size."
      : !crop
      ? "Not cropped, as the option is off."
      : share >= NEARLY_ALL
      ? "Nothing could be cropped: no plain background was found around it."
      : `Cropped to ${Math.max(1, Math.round(100 * share))} % of the picture.`,
    ...(isInverted !== invert ? ["Inverted to bright on black, as the training images are."] : []),
  ];
  return {
    pixels: new Uint8Array(invert ? pixels.map((value) => 255 - value) : pixels),
    isBlank,
    text: texts.join(" "),
  };
}

/** From this share of the picture on, cropping has changed nothing that one can see. */
const NEARLY_ALL = 0.97;
