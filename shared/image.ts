/**
 * From any picture to what the model was trained on. Fashion-MNIST's images were made from product photos
 * by a fixed recipe (https://arxiv.org/abs/1708.07747, section 2): trim the margin, shrink the longest side
 * to 28 pixels, centre, negate, turn to grey. So that a picture of today looks like those to the model, the
 * same is done here, with two departures: shrinking averages over areas where the paper skips rows and
 * columns, because the average does not depend on which row is hit; and the paper's sharpening, which made
 * up for that skipping, is left out.
 *
 * @module
 */

/** A picture, row-major, 8 bits a channel. */
export interface Image {
  width: number;
  height: number;
  /** 1 is grey, 3 is red, green, blue, and 4 has an alpha that is not premultiplied. */
  channels: 1 | 3 | 4;
  /** `[height, width, channels]`, 0..255 */
  data: Uint8Array;
}

/** A width and a height, in pixels. */
export interface Size {
  width: number;
  height: number;
}

// The paper's: pixels within 5 % of the background belong to the margin.
const TOLERANCE = 0.05 * 255;

/**
 * Fits a picture into the model's input: bright things on black, trimmed, centred, longest side filled.
 *
 * A picture that has the wanted size already is only turned to grey, as it is most likely one of the data
 * set's own: its margin and its background stay, dark things on white are not negated, and transparency
 * shows black. Other pictures may have any background of one colour, and transparency shows white as in a
 * shop's product photos; or black, if on white nothing can be seen.
 *
 * @returns `[height, width]`, row-major, 0..255; all 0 if the picture is blank
 * @throws {RangeError} if a side is not a positive integer
 * @throws {TypeError} if the data does not fill the sides
 */
export function fitImage(image: Image, { width, height }: Size): Uint8Array {
  check(image);
  if (image.width === width && image.height === height) return toGrey(image, 0);
  return fit(image, 255, width, height) ??
    (image.channels === 4 ? fit(image, 0, width, height) : undefined) ??
    new Uint8Array(width * height);
}

function fit(image: Image, backdrop: number, width: number, height: number): Uint8Array | undefined {
  const distance = toDistance(toGrey(image, backdrop), image);
  const box = trim(distance, image);
  if (!box) return undefined;
  const scale = Math.min(width / box.width, height / box.height);
  const fitted = {
    width: Math.max(1, Math.round(box.width * scale)),
    height: Math.max(1, Math.round(box.height * scale)),
  };
  const pixels = resize(distance, image.width, box, fitted);
  const canvas = new Uint8Array(width * height);
  const left = Math.floor((width - fitted.width) / 2);
  const top = Math.floor((height - fitted.height) / 2);
  for (let y = 0; y < fitted.height; y++) {
    const row = pixels.subarray(y * fitted.width, (y + 1) * fitted.width);
    canvas.set(row, (top + y) * width + left);
  }
  return canvas;
}

function check({ width, height, channels, data }: Image): void {
  if (!Number.isInteger(width) || !Number.isInteger(height) || width < 1 || height < 1) {
    throw new RangeError(
      `Cannot fit the image as its sides must be positive integers: current size is ${width}x${height}`,
    );
  }
  if (data.length !== width * height * channels) {
    throw new TypeError(
      `Cannot fit the image as ${width}x${height} with ${channels} channels needs ` +
        `${width * height * channels} bytes: current length is ${data.length}`,
    );
  }
}

/**
 * Luma of a picture, as ITU-R BT.601 weighs it, which is what Pillow and torchvision call grey.
 *
 * @param backdrop the grey that shows where the picture is transparent, 0..255
 * @returns `[height, width]`, 0..255
 */
export function toGrey({ channels, data }: Image, backdrop: number): Uint8Array {
  if (channels === 1) return data;
  const grey = new Uint8Array(data.length / channels);
  for (let i = 0, at = 0; i < grey.length; i++, at += channels) {
    const luma = 0.299 * data[at]! + 0.587 * data[at + 1]! + 0.114 * data[at + 2]!;
    const alpha = channels === 4 ? data[at + 3]! / 255 : 1;
    grey[i] = Math.round(luma * alpha + backdrop * (1 - alpha));
  }
  return grey;
}

/**
 * How far each pixel is from the background, scaled so that the farthest possible is 255. On white this
 * negates, as the paper does; on black it changes nothing; and between them it keeps things visible that are
 * lighter than their background as well as those that are darker.
 */
function toDistance(grey: Uint8Array, size: Size): Uint8Array {
  const background = borderMedian(grey, size);
  const scale = 255 / Math.max(background, 255 - background);
  return grey.map((value) => Math.round(Math.abs(value - background) * scale));
}

/** The median, not the corners: a thing that touches the frame does not change it. */
function borderMedian(grey: Uint8Array, { width, height }: Size): number {
  const border: number[] = [];
  for (let x = 0; x < width; x++) border.push(grey[x]!, grey[(height - 1) * width + x]!);
  for (let y = 0; y < height; y++) border.push(grey[y * width]!, grey[(y + 1) * width - 1]!);
  border.sort((a, b) => a - b);
  return border[border.length >> 1]!;
}

interface Box extends Size {
  left: number;
  top: number;
}

/** The smallest box that holds all that stands out; undefined if nothing does. */
function trim(distance: Uint8Array, { width, height }: Size): Box | undefined {
  let left = width, right = -1, top = height, bottom = -1;
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      if (distance[i]! <= TOLERANCE) continue;
      if (x < left) left = x;
      if (x > right) right = x;
      if (y < top) top = y;
      bottom = y;
    }
  }
  if (bottom < 0) return undefined;
  return { left, top, width: right - left + 1, height: bottom - top + 1 };
}

/** Which source pixels make one target pixel, and how much of each; the weights sum to 1. */
interface Taps {
  start: number;
  weights: number[];
}

/** Resamples a box of a picture, one axis after the other. */
function resize(source: Uint8Array, stride: number, box: Box, target: Size): Uint8Array {
  const across = axis(box.width, target.width);
  const rows = new Float32Array(box.height * target.width);
  for (let y = 0; y < box.height; y++) {
    const from = (box.top + y) * stride + box.left;
    for (let x = 0; x < target.width; x++) {
      const { start, weights } = across[x]!;
      let sum = 0;
      for (let k = 0; k < weights.length; k++) sum += weights[k]! * source[from + start + k]!;
      rows[y * target.width + x] = sum;
    }
  }
  const out = new Uint8Array(target.width * target.height);
  for (const [y, { start, weights }] of axis(box.height, target.height).entries()) {
    for (let x = 0; x < target.width; x++) {
      let sum = 0;
      for (let k = 0; k < weights.length; k++) sum += weights[k]! * rows[(start + k) * target.width + x]!;
      out[y * target.width + x] = Math.round(sum);
    }
  }
  return out;
}

function axis(from: number, to: number): Taps[] {
  const step = from / to;
  return Array.from({ length: to }, (_, i) => step >= 1 ? area(i, step, from) : linear(i, step, from));
}

/** Averages the stretch of the source that the target pixel covers, partly covered ends included. */
function area(i: number, step: number, from: number): Taps {
  const first = i * step;
  const last = Math.min((i + 1) * step, from);
  const start = Math.floor(first);
  const weights: number[] = [];
  for (let k = start; k < last; k++) {
    weights.push((Math.min(k + 1, last) - Math.max(k, first)) / (last - first));
  }
  return { start, weights };
}

/** Mixes the two source pixels on either side of the target pixel's centre. */
function linear(i: number, step: number, from: number): Taps {
  const centre = Math.min(Math.max((i + 0.5) * step - 0.5, 0), from - 1);
  const start = Math.floor(centre);
  const part = centre - start;
  return part === 0 ? { start, weights: [1] } : { start, weights: [1 - part, part] };
}
