/**
 * Ten kinds of garment drawn by code, in the classes and the shape of Fashion-MNIST (28×28, light on black): data that
 * needs no network and no licence, for training and for tests.
 *
 * Every image has its own cut, size, place, tilt, cloth and light. Shoes face either way, and a detail may be lighter
 * or darker than the cloth below, so no single pixel identifies a class, and a hidden layer improves the accuracy.
 *
 * The same seed gives the same bytes on every machine; `tests/train/silhouettes_test.ts` holds their SHA-256.
 *
 * @module
 */
import { Canvas, type Placement } from "./canvas.ts";
import { GARMENTS } from "./garments.ts";
import { Random } from "../random.ts";

/** Pixels along one side of an image. */
export const SILHOUETTE_SIZE = 28;

/** Images with their classes. */
export interface Silhouettes {
  /** `[count, 28, 28]`, row-major, `0..255`, 0 is the background */
  images: Uint8Array<ArrayBuffer>;
  /** `[count]`, each in `0..9`, in the order of Fashion-MNIST */
  labels: Uint8Array<ArrayBuffer>;
}

const PIXELS = SILHOUETTE_SIZE ** 2;

/**
 * Draws a set in which every class comes up equally often (give or take one), in random order.
 *
 * @param count how many images
 * @param seed an integer in `0..2³² - 1`: sets with different seeds are independent
 * @throws {RangeError} if the count or the seed is not such an integer
 */
export function drawSilhouettes(count: number, seed: number): Silhouettes {
  if (!Number.isInteger(count) || count < 0) {
    throw new RangeError(
      `Cannot draw silhouettes as the count must be an integer from 0 up: current value is ${count}`,
    );
  }
  checkSeed(seed);
  const labels = new Uint8Array(count);
  for (let i = 0; i < count; i++) labels[i] = i % GARMENTS.length;
  const random = new Random(seed);
  for (let i = count - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [labels[i], labels[j]] = [labels[j]!, labels[i]!];
  }
  const images = new Uint8Array(count * PIXELS);
  for (let i = 0; i < count; i++) images.set(draw(labels[i]!, new Random(seed, i + 1)), i * PIXELS);
  return { images, labels };
}

/**
 * Draws one garment.
 *
 * @param classIndex `0..9`, in the order of Fashion-MNIST
 * @param seed an integer in `0..2³² - 1`
 * @returns `[28, 28]`, row-major, `0..255`
 * @throws {RangeError} if there is no such class, or the seed is not such an integer
 */
export function drawSilhouette(classIndex: number, seed: number): Uint8Array<ArrayBuffer> {
  checkSeed(seed);
  return draw(classIndex, new Random(seed));
}

/** The built-in data set: 12,000 images to train on and 2,000 others to test with. */
export function silhouettes(): { train: Silhouettes; test: Silhouettes } {
  return { train: drawSilhouettes(12_000, 1), test: drawSilhouettes(2_000, 2) };
}

function checkSeed(seed: number): void {
  if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 32) {
    throw new RangeError(
      `Cannot draw silhouettes as the seed must be an integer in 0..${2 ** 32 - 1}: current value is ${seed}`,
    );
  }
}

function draw(classIndex: number, random: Random): Uint8Array<ArrayBuffer> {
  const garment = GARMENTS[classIndex];
  if (garment === undefined) {
    throw new RangeError(
      `Cannot draw a silhouette as the class must be an integer in 0..${GARMENTS.length - 1}: ` +
        `current value is ${classIndex}`,
    );
  }
  const canvas = new Canvas(SILHOUETTE_SIZE, place(random), weave(random));
  const cloth = random.uniform(0.5, 0.95);
  garment({ random, paint: (polygon, tone) => canvas.paint(polygon, cloth * tone) });
  return develop(canvas.pixels, random);
}

/** Size, tilt, slant and place: garments are photographed by people. */
function place(random: Random): Placement {
  const [width, height] = [random.uniform(9.5, 12.5), random.uniform(9.5, 12.5)];
  // The half-angle form of sine and cosine needs no sine, whose last bit differs between machines.
  const half = random.uniform(-0.09, 0.09);
  const [cosine, sine] = [(1 - half * half) / (1 + half * half), 2 * half / (1 + half * half)];
  const slant = random.uniform(-0.1, 0.1);
  const [roomX, roomY] = [14 - width, 14 - height];
  return {
    a: width * cosine,
    b: height * (slant * cosine - sine),
    c: width * sine,
    d: height * (slant * sine + cosine),
    e: 14 + random.uniform(-roomX, roomX) * 0.9,
    f: 14 + random.uniform(-roomY, roomY) * 0.9,
  };
}

/** The cloth's pattern and the light on it, `[28, 28]` around 0.8. */
function weave(random: Random): Float64Array {
  const shade = new Float64Array(PIXELS);
  const pattern = random.below(9);
  const depth = random.uniform(0.2, 0.5);
  const period = random.uniform(2.5, 7);
  const phase = random.uniform(0, 7);
  const tilt = random.uniform(-0.25, 0.25);
  const [lightX, lightY] = [random.uniform(-0.2, 0.2), random.uniform(-0.2, 0.2)];
  for (let y = 0, i = 0; y < SILHOUETTE_SIZE; y++) {
    for (let x = 0; x < SILHOUETTE_SIZE; x++, i++) {
      const across = wave((x + tilt * y + phase) / period);
      const down = wave((y - tilt * x + phase) / period);
      let thread = 0;
      if (pattern === 0) thread = down;
      else if (pattern === 1) thread = across;
      else if (pattern === 2) thread = Math.max(across, down);
      else if (pattern === 3) thread = wave((x + y + phase) / period / 1.4);
      else if (pattern === 4) thread = random.uniform();
      shade[i] = (1 - depth * thread) * (0.9 + lightX * (x / 14 - 1) + lightY * (y / 14 - 1));
    }
  }
  return shade;
}

/** A triangle wave in `0..1` of period 1. */
function wave(t: number): number {
  return Math.abs(2 * (t - Math.floor(t)) - 1);
}

/** From tones to bytes, with the grain of a cheap camera and now and then a shadow across the garment. */
function develop(tones: Float64Array, random: Random): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(PIXELS);
  const grain = random.uniform(0, 0.1);
  const shadow = random.chance(0.2) ? random.uniform(0.35, 0.7) : 1;
  const [slope, start, width] = [random.uniform(-1, 1), random.uniform(2, 20), random.uniform(3, 8)];
  for (let y = 0, i = 0; y < SILHOUETTE_SIZE; y++) {
    for (let x = 0; x < SILHOUETTE_SIZE; x++, i++) {
      const noise = grain * (random.uniform() - random.uniform());
      // The background stays black, as a cut-out's does.
      if (tones[i]! < 0.02) continue;
      const across = x + slope * (y - 14) - start;
      const tone = tones[i]! * (across > 0 && across < width ? shadow : 1) + noise;
      bytes[i] = Math.round(Math.min(Math.max(tone, 0.04), 1) * 255);
    }
  }
  return bytes;
}
