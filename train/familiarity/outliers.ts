/**
 * Images that are unlike any training data: drawings, noise, and training images with their parts shuffled. Some
 * families choose the directions in which unfamiliar images stand out; the others only measure the result.
 *
 * @module
 */
import type { ImageShape } from "../../shared/contract.ts";
import type { Random } from "../../shared/random.ts";
import { type Drawing, ink, paintShape, paintStrokes, paintText } from "./drawings.ts";

/** What a family draws an image from. */
interface Source {
  random: Random;
  shape: ImageShape;
  /** A training image, `[C, H, W]`, 0..255. */
  picture: () => Uint8Array;
  /** The index of the image, below `count`. */
  index: number;
  count: number;
}

/** Draws one image, `[C, H, W]`, 0..255; the array rounds and clamps. */
type Draw = (source: Source) => Uint8ClampedArray;

/** The families that the directions are chosen by. */
const CHOOSING = {
  strokes: drawn(paintStrokes),
  shapes: drawn(paintShape),
  text: drawn(paintText),
  "shuffled patches": shufflePatches,
  "smooth noise": (source) => smoothNoise(source, 7),
  "dim noise": (source) => fill(source, () => 25.5 * source.random.uniform()),
  "uniform noise": (source) => fill(source, () => 255 * source.random.uniform()),
  "constant images": constant,
} satisfies Record<string, Draw>;

/** The families that the directions are not chosen by. */
const UNSEEN = {
  negatives: ({ picture }) => Uint8ClampedArray.from(picture(), (value) => 255 - value),
  "Gaussian noise": (source) => fill(source, () => 127.5 + 63.75 * normal(source.random)),
  textures: texture,
  "coarse noise": (source) => smoothNoise(source, 4),
  "salt and pepper": (source) => {
    const share = source.random.uniform(0.02, 0.3);
    return fill(source, () => source.random.chance(share) ? 255 : 0);
  },
  "shuffled pixels": shufflePixels,
} satisfies Record<string, Draw>;

/** A family of images. */
export type Family = keyof typeof CHOOSING | keyof typeof UNSEEN;

/** The families that the directions are chosen by. */
export const CHOOSING_FAMILIES = Object.keys(CHOOSING) as readonly Family[];

/** The families that only measure the result. */
export const UNSEEN_FAMILIES = Object.keys(UNSEEN) as readonly Family[];

/** What {@linkcode drawOutliers} draws. */
export interface OutlierOptions {
  count: number;
  shape: ImageShape;
  /** `[n, C, H, W]`, 0..255: the images that some families are made from. */
  pictures: Uint8Array;
  random: Random;
}

/**
 * Draws images of a family.
 *
 * @returns `[count, C, H, W]`, 0..255
 */
export function drawOutliers(
  family: Family,
  { count, shape, pictures, random }: OutlierOptions,
): Uint8Array<ArrayBuffer> {
  const size = shape.channels * shape.height * shape.width, available = pictures.length / size;
  const draw: Draw = { ...CHOOSING, ...UNSEEN }[family];
  const picture = (): Uint8Array => {
    const start = random.below(available) * size;
    return pictures.subarray(start, start + size);
  };
  const images = new Uint8Array(count * size);
  for (let index = 0; index < count; index++) {
    images.set(draw({ random, shape, picture, index, count }), index * size);
  }
  return images;
}

function fill({ shape: { channels, height, width } }: Source, value: () => number): Uint8ClampedArray {
  const image = new Uint8ClampedArray(channels * height * width);
  for (let i = 0; i < image.length; i++) image[i] = value();
  return image;
}

function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random.uniform())) * Math.cos(2 * Math.PI * random.uniform());
}

/** A drawing in one colour on another; in grey, white on black, as all images of one channel are. */
function drawn(paint: (random: Random, drawing: Drawing) => void): Draw {
  return ({ random, shape }) => {
    const coverage = ink(Math.max(shape.height, shape.width), (drawing) => paint(random, drawing));
    return twoTone(shape, ...colours(random, shape), (x, y) => coverage(x, y));
  };
}

/** Two colours, of which the first is the background. */
function colours(random: Random, { channels }: ImageShape): [number[], number[]] {
  if (channels === 1) return [[0], [255]];
  const colour = (): number[] => Array.from({ length: channels }, () => 255 * random.uniform());
  const white = Array<number>(channels).fill(255), black = Array<number>(channels).fill(0);
  return random.chance(0.5) ? [white, random.chance(0.5) ? black : colour()] : [colour(), colour()];
}

/** Blends two colours. */
function twoTone(
  { channels, height, width }: ImageShape,
  back: readonly number[],
  front: readonly number[],
  share: (x: number, y: number) => number,
): Uint8ClampedArray {
  const plane = height * width, image = new Uint8ClampedArray(channels * plane);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = share(x, y);
      for (let c = 0; c < channels; c++) {
        image[c * plane + y * width + x] = back[c]! + (front[c]! - back[c]!) * at;
      }
    }
  }
  return image;
}

/** Levels of grey from black to white; in colour, every second image has a random colour. */
function constant({ random, shape: { channels, height, width }, index, count }: Source): Uint8ClampedArray {
  const image = new Uint8ClampedArray(channels * height * width);
  const grey = 255 * index / Math.max(1, count - 1);
  for (let c = 0; c < channels; c++) {
    const level = channels === 1 || index % 2 === 0 ? grey : 255 * random.uniform();
    image.fill(level, c * height * width, (c + 1) * height * width);
  }
  return image;
}

/** Random values on a grid, interpolated linearly. */
function smoothNoise({ random, shape }: Source, grid: number): Uint8ClampedArray {
  const { channels, height, width } = shape;
  const image = new Uint8ClampedArray(channels * height * width);
  let at = 0;
  for (let c = 0; c < channels; c++) {
    const values = Array.from({ length: grid * grid }, () => 255 * random.uniform());
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        image[at++] = interpolate(values, grid, place(x, width, grid), place(y, height, grid));
      }
    }
  }
  return image;
}

function place(position: number, size: number, grid: number): number {
  return position / Math.max(1, size - 1) * (grid - 1);
}

function interpolate(values: readonly number[], grid: number, x: number, y: number): number {
  const left = Math.min(Math.floor(x), grid - 2), top = Math.min(Math.floor(y), grid - 2);
  const right = x - left, down = y - top, i = top * grid + left;
  return (values[i]! * (1 - right) + values[i + 1]! * right) * (1 - down) +
    (values[i + grid]! * (1 - right) + values[i + grid + 1]! * right) * down;
}

/** A training image with its sixteen patches in random order. */
function shufflePatches({ random, shape: { channels, height, width }, picture }: Source): Uint8ClampedArray {
  const from = picture(), image = Uint8ClampedArray.from(from);
  const columns = Math.min(4, width), rows = Math.min(4, height);
  const patchWidth = Math.floor(width / columns), patchHeight = Math.floor(height / rows);
  const order = Array.from({ length: columns * rows }, (_, i) => i);
  random.shuffle(order);
  for (const [to, source] of order.entries()) {
    const offset = (patch: number): number =>
      Math.floor(patch / columns) * patchHeight * width + patch % columns * patchWidth;
    for (let c = 0; c < channels; c++) {
      for (let y = 0; y < patchHeight; y++) {
        const row = c * height * width + y * width;
        const start = row + offset(source);
        image.set(from.subarray(start, start + patchWidth), row + offset(to));
      }
    }
  }
  return image;
}

/** A training image with its pixels in random order, the same in each channel. */
function shufflePixels({ random, shape: { channels, height, width }, picture }: Source): Uint8ClampedArray {
  const from = picture(), plane = height * width;
  const order = Uint32Array.from({ length: plane }, (_, i) => i);
  random.shuffle(order);
  return Uint8ClampedArray.from(from, (_, i) => {
    const c = Math.floor(i / plane);
    return c < channels ? from[c * plane + order[i % plane]!]! : 0;
  });
}

/** Stripes, with soft or hard edges, a chessboard, or a gradient, in two random tones. */
function texture({ random, shape }: Source): Uint8ClampedArray {
  const side = Math.max(shape.height, shape.width);
  const kind = random.below(4), period = random.uniform(side / 14, side / 3);
  const angle = random.uniform(0, Math.PI), cos = Math.cos(angle), sin = Math.sin(angle);
  const tone = (): number[] => Array.from({ length: shape.channels }, () => 255 * random.uniform());
  return twoTone(shape, tone(), tone(), (x, y) => {
    const along = x * cos + y * sin;
    switch (kind) {
      case 0:
        return 0.5 + 0.5 * Math.sin(2 * Math.PI * along / period);
      case 1:
        return Math.abs(Math.floor(along / period)) % 2;
      case 2:
        return (Math.floor(x / period) + Math.floor(y / period)) % 2;
      default:
        return 0.5 + along / (2 * Math.SQRT2 * side);
    }
  });
}
