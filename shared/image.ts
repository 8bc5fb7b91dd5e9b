/**
 * From any picture to what the model was trained on. Fashion-MNIST's images were made from product photos
 * by a fixed recipe (https://arxiv.org/abs/1708.07747, section 2): trim the margin, shrink the longest side
 * to 28 pixels, centre, negate, turn to grey. So that a picture of today looks like those to the model, the
 * same is done here, with two departures: shrinking averages over areas where the paper skips rows and
 * columns, because the average does not depend on which row is hit; and the paper's sharpening, which made
 * up for that skipping, is left out.
 *
 * Models of colour images get the same trimming, shrinking and centring, but nothing is negated: a negated
 * red would be a cyan, and colours are what such a model is there to see. The background keeps its colour
 * too, and the canvas around the picture is filled with it.
 *
 * Photographs that go to a network pretrained on ImageNet are not trimmed, as their background is part of what it
 * was trained on: they are cropped, squashed or padded (see {@linkcode PHOTO_FITS}).
 *
 * @module
 */
import { type Background, backgroundAt, coordinate } from "./background.ts";
import { borderMedian, toDistance, trim } from "./border_median.ts";
import { distancesOf, findContent, noiseGain } from "./content.ts";
import { type Box, resizePlane, type Size } from "./resample.ts";

export type { Size } from "./resample.ts";

import { InputError } from "./errors.ts";
import { type Image, releasePlanes, toPlanes, withPlanes } from "./planes.ts";

export type { Image };

/** What {@linkcode fitImage} makes. */
export interface Target extends Size {
  /** 1 is grey, the default; 3 is red, green and blue. */
  channels?: number;
  /** Whether the margin is trimmed, which is the default; without it the whole picture is fitted. */
  crop?: boolean;
  /** How a picture is fitted; the default is that of the channels. */
  preprocessing?: Preprocessing;
}

/**
 * The names of what is done to pictures, by the channels of the result. A model says by such a name how its
 * images were made, so that the same is done to what it is asked about later. Whoever changes what
 * {@linkcode fitImage} gives for a picture must count the version in the name up.
 */
export const PREPROCESSINGS = { 1: "grey-on-black-2", 3: "rgb-on-own-background-2" } as const;

/** What earlier versions of this project wrote; models that name them are still served. */
export const EARLIER_PREPROCESSINGS = { 1: "grey-on-black-1", 3: "rgb-on-own-background-1" } as const;

/**
 * How photographs are fitted for a pretrained network, by the words of `--fit`; the default first.
 *
 * - `crop`: the shorter side is scaled to 256/224 of the input and the centre is cut out, as in the evaluation of
 *   ImageNet networks. Shapes stay, and what is at the edges is lost.
 * - `squash`: both sides are scaled to the input. Nothing is lost, and shapes are stretched.
 * - `pad`: the longer side is scaled to the input, and the background fills the rest.
 */
export const PHOTO_FITS = { crop: "rgb-centre-crop-1", squash: "rgb-squash-1", pad: "rgb-pad-1" } as const;

/** One of the words of {@linkcode PHOTO_FITS}. */
export type PhotoFit = keyof typeof PHOTO_FITS;

/** One of {@linkcode PREPROCESSINGS}, {@linkcode EARLIER_PREPROCESSINGS} or {@linkcode PHOTO_FITS}. */
export type Preprocessing =
  | typeof PREPROCESSINGS[keyof typeof PREPROCESSINGS]
  | typeof EARLIER_PREPROCESSINGS[keyof typeof EARLIER_PREPROCESSINGS]
  | typeof PHOTO_FITS[PhotoFit];

/** The share of the shorter side that `crop` keeps. */
const CENTRE = 224 / 256;

/** Whether a model of so many channels can have its pictures fitted in that way. */
export function isPreprocessing(name: unknown, channels: number): name is Preprocessing {
  return (channels === 1 || channels === 3) &&
      (name === PREPROCESSINGS[channels] || name === EARLIER_PREPROCESSINGS[channels]) ||
    channels === 3 && (Object.values(PHOTO_FITS) as unknown[]).includes(name);
}

/** What is done to pictures for so many channels; undefined if it is not 1 or 3. */
export function preprocessingFor(channels: number): Preprocessing | undefined {
  return channels === 1 || channels === 3 ? PREPROCESSINGS[channels] : undefined;
}

/**
 * Fits a picture into the model's input, trimmed, centred, longest side filled: grey and bright on black, or
 * in its colours on its own background.
 *
 * A picture that has the wanted size already is only turned to grey or to red, green and blue, as it is most
 * likely one of the data set's own: its margin and its background stay, dark things on white are not negated,
 * and transparency shows black. Other pictures may have any smooth background, and transparency shows
 * white as in a shop's product photos; or black, if on white nothing can be seen.
 *
 * @returns `[channels, height, width]`, row-major, 0..255; a blank picture gives all 0 in grey, and its one
 * colour in colour
 * @throws {InputError} `invalid-value` if a side is not a positive integer or the target has neither 1 nor 3 channels,
 * `invalid-shape` if the length of the data does not match the sides
 */
export function fitImage(image: Image, target: Target): Uint8Array {
  return fitPicture(image, target).pixels;
}

/** What {@linkcode fitPicture} makes, and what it did. */
export interface Fitted {
  /** `[channels, height, width]`, row-major, 0..255 */
  pixels: Uint8Array;
  /** The part of the picture that is shown; undefined if nothing stands out from the background. */
  box: Box | undefined;
  /** Whether bright and dark were exchanged, as the background is bright. */
  isInverted: boolean;
}

/** As {@linkcode fitImage}, with what was cropped and inverted. */
export function fitPicture(image: Image, target: Target): Fitted {
  const { width, height, channels = 1, crop = true } = target;
  check(image, channels);
  const wanted = { width, height, channels, crop };
  const { preprocessing = preprocessingFor(channels) } = target;
  if (image.width === width && image.height === height) {
    return { pixels: join(toPlanes(image, channels, 0)), box: wholeOf(image), isInverted: false };
  }
  if (preprocessing === PHOTO_FITS.squash || preprocessing === PHOTO_FITS.crop) {
    return fitPhoto(image, wanted, preprocessing === PHOTO_FITS.crop);
  }
  if (preprocessing === PHOTO_FITS.pad) wanted.crop = false;
  const isCurrent = preprocessing === preprocessingFor(channels);
  const fit = (backdrop: number): Fitted | undefined =>
    withPlanes(
      image,
      channels,
      backdrop,
      (planes) => (isCurrent ? fitOnSurface : fitOnMedian)(image, planes, wanted),
    );
  return fit(255) ?? (image.channels === 4 ? fit(0) : undefined) ??
    { pixels: blank(image, wanted), box: undefined, isInverted: false };
}

function wholeOf({ width, height }: Size): Box {
  return { left: 0, top: 0, width, height };
}

/**
 * Whether pixels show anything: a picture of one colour does not, nor does {@linkcode fitImage}'s result for one where
 * nothing stands out.
 *
 * @param pixels `[channels, height, width]`
 */
export function hasContent(pixels: ArrayLike<number>, channels: number): boolean {
  const size = pixels.length / channels;
  // One pixel is all that such a model sees.
  if (size === 1) return true;
  for (let i = 0; i < pixels.length; i++) {
    if (pixels[i] !== pixels[i - i % size]) return true;
  }
  return false;
}

type Fitting = Required<Omit<Target, "preprocessing">>;

/** Where the content goes on the canvas. */
interface Placement {
  /** The part of the picture that is shown. */
  box: Box;
  /** Its size on the canvas. */
  fitted: Size;
  /** Pixels of the canvas. */
  left: number;
  /** Pixels of the canvas. */
  top: number;
}

function place(content: Box, image: Size, { width, height, crop }: Fitting): Placement {
  const box = crop ? content : wholeOf(image);
  const scale = Math.min(width / box.width, height / box.height);
  const fitted = {
    width: Math.max(1, Math.round(box.width * scale)),
    height: Math.max(1, Math.round(box.height * scale)),
  };
  const left = Math.floor((width - fitted.width) / 2);
  const top = Math.floor((height - fitted.height) / 2);
  return { box, fitted, left, top };
}

function paste(
  canvas: Uint8Array,
  width: number,
  pixels: Uint8Array,
  { fitted, left, top }: Placement,
): void {
  for (let y = 0; y < fitted.height; y++) {
    const row = pixels.subarray(y * fitted.width, (y + 1) * fitted.width);
    canvas.set(row, (top + y) * width + left);
  }
}

/** The second version: the background is a surface, and noise and specks do not count. */
function fitOnSurface(image: Image, planes: Uint8Array[], target: Fitting): Fitted | undefined {
  const { width, height, channels } = target;
  const content = findContent(planes, image);
  if (!content.box) return undefined;
  const placement = place(content.box, image, target);
  const canvas = new Uint8Array(channels * width * height);
  for (const [c, plane] of planes.entries()) {
    const background = content.backgrounds[c]!;
    const part = canvas.subarray(c * width * height, (c + 1) * width * height);
    if (channels === 1) {
      paste(part, width, stretchDistances(plane, image, background, content.reduced, placement), placement);
    } else {
      fillBackground(part, target, background, image, placement);
      paste(part, width, resizePlane(plane, image.width, placement.box, placement.fitted), placement);
    }
  }
  // The first term is the background in the middle.
  return fittedAs(canvas, placement, target, content.backgrounds[0]!.terms[0]!);
}

function fittedAs(pixels: Uint8Array, { box }: Placement, { channels }: Fitting, background: number): Fitted {
  return { pixels, box, isInverted: channels === 1 && background > 127 };
}

/** Distances are taken at this many times the resolution of the result, where most of the noise is averaged out. */
const OVERSAMPLING = 2;
/** Distances below so many standard deviations of the noise are 0: their average would be grey. */
const DEAD_ZONE = 2;

function stretchDistances(
  plane: Uint8Array,
  image: Size,
  background: Background,
  reduced: Size,
  { box, fitted }: Placement,
): Uint8Array {
  const fine = {
    width: Math.min(box.width, OVERSAMPLING * fitted.width),
    height: Math.min(box.height, OVERSAMPLING * fitted.height),
  };
  const pixels = resizePlane(plane, image.width, box, fine);
  const distances = distancesOf(pixels, fine, background, box, image);
  // The noise was measured on the reduced picture.
  const gain = noiseGain(image, reduced) / noiseGain(box, fine);
  const least = DEAD_ZONE * background.noise * gain;
  for (let i = 0; i < distances.length; i++) if (distances[i]! < least) distances[i] = 0;
  return resizePlane(distances, fine.width, { left: 0, top: 0, ...fine }, fitted);
}

/** Continues the background of the picture around it. */
function fillBackground(
  canvas: Uint8Array,
  { width, height }: Size,
  background: Background,
  image: Size,
  { box, fitted, left, top }: Placement,
): void {
  const inside = (value: number): number => Math.min(1, Math.max(-1, value));
  for (let y = 0, i = 0; y < height; y++) {
    const v = inside(coordinate(box.top + (y - top + 0.5) * box.height / fitted.height - 0.5, image.height));
    for (let x = 0; x < width; x++, i++) {
      const u = inside(coordinate(box.left + (x - left + 0.5) * box.width / fitted.width - 0.5, image.width));
      canvas[i] = Math.round(backgroundAt(background, u, v));
    }
  }
}

/** The first version: the background is the median of the border, and all that differs by 5 % is content. */
function fitOnMedian(image: Image, planes: Uint8Array[], target: Fitting): Fitted | undefined {
  const { width, height, channels } = target;
  const backgrounds = planes.map((plane) => borderMedian(plane, image));
  const distances = planes.map((plane, i) => toDistance(plane, backgrounds[i]!));
  const content = trim(distances, image);
  if (!content) {
    releasePlanes(distances, image);
    return undefined;
  }
  const placement = place(content, image, target);
  const canvas = new Uint8Array(channels * width * height);
  for (let c = 0; c < channels; c++) {
    const plane = canvas.subarray(c * width * height, (c + 1) * width * height);
    // In grey, the distance is the picture, and its background is black.
    if (channels > 1) plane.fill(backgrounds[c]!);
    const pixels = channels > 1 ? planes[c]! : distances[c]!;
    paste(plane, width, resizePlane(pixels, image.width, placement.box, placement.fitted), placement);
  }
  releasePlanes(distances, image);
  return fittedAs(canvas, placement, target, backgrounds[0]!);
}

/** Fills the whole input, from the centre or from all of the picture. */
function fitPhoto(
  image: Image,
  { width, height, channels }: Size & { channels: number },
  crop: boolean,
): Fitted {
  const box = wholeOf(image);
  if (crop) {
    const scale = Math.max(width / image.width, height / image.height) / CENTRE;
    box.width = Math.max(1, Math.min(image.width, Math.round(width / scale)));
    box.height = Math.max(1, Math.min(image.height, Math.round(height / scale)));
    box.left = (image.width - box.width) >> 1;
    box.top = (image.height - box.height) >> 1;
  }
  const pixels = withPlanes(
    image,
    channels,
    255,
    (planes) => join(planes.map((plane) => resizePlane(plane, image.width, box, { width, height }))),
  );
  return { pixels, box, isInverted: false };
}

/** What is there when nothing stands out. */
function blank(image: Image, { width, height, channels }: Fitting): Uint8Array {
  const canvas = new Uint8Array(channels * width * height);
  if (channels === 1) return canvas;
  withPlanes(image, channels, 255, (planes) => {
    for (const [c, plane] of planes.entries()) {
      canvas.fill(borderMedian(plane, image), c * width * height, (c + 1) * width * height);
    }
  });
  return canvas;
}

function check({ width, height, channels, data }: Image, wanted: number): void {
  if (preprocessingFor(wanted) === undefined) {
    throw new InputError(
      "invalid-value",
      `Cannot fit the image as its channels must become 1 or 3: current value is ${wanted}`,
    );
  }
  if (!Number.isInteger(width) || !Number.isInteger(height) || width < 1 || height < 1) {
    throw new InputError(
      "invalid-value",
      `Cannot fit the image as its sides must be positive integers: current size is ${width}x${height}`,
    );
  }
  if (data.length !== width * height * channels) {
    throw new InputError(
      "invalid-shape",
      `Cannot fit the image as ${width}x${height} with ${channels} channels needs ` +
        `${width * height * channels} bytes: current length is ${data.length}`,
    );
  }
}

function join(planes: Uint8Array[]): Uint8Array {
  if (planes.length === 1) return planes[0]!;
  const whole = new Uint8Array(planes.length * planes[0]!.length);
  for (const [i, plane] of planes.entries()) whole.set(plane, i * plane.length);
  return whole;
}
