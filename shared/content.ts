/**
 * Where the content of a picture is: what stands out from a background that may be lit unevenly, noisy, and have
 * specks and soft shadows on it.
 *
 * It is searched in a copy of at most 128×128 pixels: averaging removes most of the noise, and the cost beyond that
 * copy does not depend on the size of the picture. The constants were chosen on enlarged training images of
 * Fashion-MNIST; `deno task bench distortions` reports the accuracy on test images.
 *
 * @module
 */
import { type Background, backgroundAt, coordinate, distance, fitBackground } from "./background.ts";
import { type Box, resizePlane, type Size } from "./resample.ts";

/** What {@linkcode findContent} finds. */
export interface Content {
  /** In pixels of the picture; undefined if nothing stands out. */
  box: Box | undefined;
  /** One for each plane. */
  backgrounds: Background[];
  /** The size of the copy, at which the noise was measured. */
  reduced: Size;
}

/** Pixels of the copy along each side, at most. */
const MAX_SIDE = 128;
/** Within 5 % of the background everything belongs to it, as in the paper, however little noise there is. */
const MIN_TOLERANCE = 0.05 * 255;
/** Beyond 25 % nothing does, however much noise there is. */
const MAX_TOLERANCE = 0.25 * 255;
/** Standard deviations of the noise that belong to the background. */
const NOISE_SIGMAS = 4;
/** What stands out less than this part of the most distant pixels needs an edge: a soft shadow has none. */
const FAINT = 0.2;
/** The part of the pixels that stand out whose distance is taken as the most: single ones do not count. */
const MOST = 0.05;
/** An edge is a difference of so much between the neighbours of a pixel, 0..255. */
const MIN_EDGE = 12;
/** Connected pixels are a speck if they are fewer than this part of the copy, or of the largest component. */
const SPECK = 0.0002, SPECK_OF_LARGEST = 0.01;

/**
 * Finds the content.
 *
 * @param planes each `[height, width]`, 0..255: what stands out in any of them is content
 */
export function findContent(planes: readonly Uint8Array[], size: Size): Content {
  const reduced = { width: Math.min(size.width, MAX_SIDE), height: Math.min(size.height, MAX_SIDE) };
  const mask = new Uint8Array(reduced.width * reduced.height);
  const backgrounds = planes.map((plane) => {
    const small = resizePlane(plane, size.width, { left: 0, top: 0, ...size }, reduced);
    const background = fitBackground(small, reduced);
    mark(mask, distancesOf(small, reduced, background), reduced, NOISE_SIGMAS * background.noise);
    return background;
  });
  const box = boxOf(mask, reduced);
  return {
    box: box && tighten(enlarge(box, reduced, size), planes, backgrounds, size, reduced),
    backgrounds,
    reduced,
  };
}

/**
 * How far each pixel is from the background.
 *
 * @param box the part of the picture that the pixels show, if not all, and the size of the picture
 * @returns `[height, width]`, 0..255
 */
export function distancesOf(
  pixels: Uint8Array,
  { width, height }: Size,
  background: Background,
  box: Box = { left: 0, top: 0, width, height },
  picture: Size = { width, height },
): Uint8Array {
  const out = new Uint8Array(pixels.length);
  const across = box.width / width, down = box.height / height;
  for (let y = 0, i = 0; y < height; y++) {
    const v = coordinate(box.top + (y + 0.5) * down - 0.5, picture.height);
    for (let x = 0; x < width; x++, i++) {
      const u = coordinate(box.left + (x + 0.5) * across - 0.5, picture.width);
      out[i] = Math.round(distance(pixels[i]!, backgroundAt(background, u, v)));
    }
  }
  return out;
}

/** Sets the mask to 1 where something stands out. */
function mark(mask: Uint8Array, distances: Uint8Array, { width, height }: Size, noise: number): void {
  const tolerance = Math.min(MAX_TOLERANCE, Math.max(MIN_TOLERANCE, noise));
  const faint = Math.min(MAX_TOLERANCE, FAINT * mostOf(distances, tolerance));
  const edge = Math.max(MIN_EDGE, noise);
  for (let y = 0, i = 0; y < height; y++) {
    const above = y > 0 ? width : 0, below = y < height - 1 ? width : 0;
    for (let x = 0; x < width; x++, i++) {
      const here = distances[i]!;
      if (here <= tolerance) continue;
      if (here < faint) {
        const across = distances[x < width - 1 ? i + 1 : i]! - distances[x > 0 ? i - 1 : i]!;
        const down = distances[i + below]! - distances[i - above]!;
        if (Math.abs(across) < edge && Math.abs(down) < edge) continue;
      }
      mask[i] = 1;
    }
  }
}

/** The distance that only {@linkcode MOST} of what stands out exceeds. */
function mostOf(distances: Uint8Array, tolerance: number): number {
  const histogram = new Uint32Array(256);
  let count = 0;
  for (const value of distances) {
    if (value <= tolerance) continue;
    histogram[value]!++;
    count++;
  }
  let most = 255;
  for (let sum = 0; most > 0; most--) {
    sum += histogram[most]!;
    if (sum >= MOST * count) break;
  }
  return most;
}

interface Component {
  pixels: number;
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** The box around all components that are not specks. */
function boxOf(mask: Uint8Array, { width, height }: Size): Box | undefined {
  const components = componentsOf(mask, { width, height });
  const largest = components.reduce((most, { pixels }) => Math.max(most, pixels), 0);
  const least = Math.max(SPECK * mask.length, SPECK_OF_LARGEST * largest);
  let left = width, right = -1, top = height, bottom = -1;
  for (const component of components) {
    if (component.pixels < least) continue;
    left = Math.min(left, component.left);
    right = Math.max(right, component.right);
    top = Math.min(top, component.top);
    bottom = Math.max(bottom, component.bottom);
  }
  return bottom < 0 ? undefined : { left, top, width: right - left + 1, height: bottom - top + 1 };
}

/** Groups of pixels that touch each other, at corners too; clears the mask. */
function componentsOf(mask: Uint8Array, { width, height }: Size): Component[] {
  const components: Component[] = [];
  const stack: number[] = [];
  for (let start = 0; start < mask.length; start++) {
    if (!mask[start]) continue;
    const component = { pixels: 0, left: width, top: height, right: -1, bottom: -1 };
    mask[start] = 0;
    stack.push(start);
    while (stack.length > 0) {
      const i = stack.pop()!;
      const x = i % width, y = (i - x) / width;
      component.pixels++;
      component.left = Math.min(component.left, x);
      component.right = Math.max(component.right, x);
      component.top = Math.min(component.top, y);
      component.bottom = Math.max(component.bottom, y);
      for (let row = Math.max(0, y - 1); row <= Math.min(height - 1, y + 1); row++) {
        for (let column = Math.max(0, x - 1); column <= Math.min(width - 1, x + 1); column++) {
          const neighbour = row * width + column;
          if (!mask[neighbour]) continue;
          mask[neighbour] = 0;
          stack.push(neighbour);
        }
      }
    }
    components.push(component);
  }
  return components;
}

/** The box in pixels of the picture. */
function enlarge(box: Box, from: Size, to: Size): Box {
  const across = to.width / from.width, down = to.height / from.height;
  const left = Math.floor(box.left * across), top = Math.floor(box.top * down);
  return {
    left,
    top,
    width: Math.max(1, Math.ceil((box.left + box.width) * across) - left),
    height: Math.max(1, Math.ceil((box.top + box.height) * down) - top),
  };
}

/**
 * Moves the sides of a box to the first line that stands out at full size, but by no more than one pixel of the copy:
 * without noise, the box is exact.
 */
function tighten(
  box: Box,
  planes: readonly Uint8Array[],
  backgrounds: readonly Background[],
  size: Size,
  reduced: Size,
): Box {
  const across = Math.ceil(size.width / reduced.width), down = Math.ceil(size.height / reduced.height);
  const tolerances = backgrounds.map(({ noise }) => {
    const full = NOISE_SIGMAS * noise * noiseGain(size, reduced);
    return Math.min(MAX_TOLERANCE, Math.max(MIN_TOLERANCE, full));
  });
  const standsOut = (x: number, y: number): boolean =>
    planes.some((plane, c) => {
      const ground = backgroundAt(backgrounds[c]!, coordinate(x, size.width), coordinate(y, size.height));
      return distance(plane[y * size.width + x]!, ground) > tolerances[c]!;
    });
  let { left, top } = box, right = left + box.width - 1, bottom = top + box.height - 1;
  const column = (x: number): boolean => {
    for (let y = top; y <= bottom; y++) if (standsOut(x, y)) return true;
    return false;
  };
  const row = (y: number): boolean => {
    for (let x = left; x <= right; x++) if (standsOut(x, y)) return true;
    return false;
  };
  for (let i = 0; i < across && left < right && !column(left); i++) left++;
  for (let i = 0; i < across && left < right && !column(right); i++) right--;
  for (let i = 0; i < down && top < bottom && !row(top); i++) top++;
  for (let i = 0; i < down && top < bottom && !row(bottom); i++) bottom--;
  return { left, top, width: right - left + 1, height: bottom - top + 1 };
}

/** How much larger independent noise is in pictures of one size than in those of another, after averaging. */
export function noiseGain(from: Size, to: Size): number {
  return Math.sqrt(from.width / to.width * from.height / to.height);
}
