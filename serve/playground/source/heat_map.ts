/**
 * Which pixels matter, by occlusion (Zeiler and Fergus, 2014, https://arxiv.org/abs/1311.2901): a square of the image
 * is replaced with the background and the image is classified again. What the label loses is what the square
 * contributed.
 *
 * The model runs once for every cell of a grid. A large network takes seconds for a fine grid, so the time of one
 * image decides how coarse the first grid is, and finer ones follow.
 *
 * @module
 */
import type { ImageShape } from "../../../shared/contract.ts";
import { borderMedian } from "../../../shared/border_median.ts";
import type { Size } from "../../../shared/resample.ts";
import { crossEntropy } from "../../../shared/softmax.ts";
import type { Answer, Runner } from "./runner.ts";

/** Cells along the longer side, from the coarsest grid to the finest. */
const GRIDS = [3, 5, 9, 14];
/** The first map is the finest that is expected within this time, in ms; the coarsest takes any time. */
const FIRST_MS = 1000;
/** A finer grid follows if it is expected within this time, in ms. */
const FINER_MS = 4000;

/** How much each cell of a grid matters. */
export interface HeatMap extends Size {
  /**
   * `[height, width]`: how much the log-odds of the label fall when the cell and half of its neighbours are hidden;
   * negative where they rise.
   */
  cells: Float32Array;
}

/** What a heat map is about. */
export interface Subject {
  /** `[C, H, W]`, 0..255 */
  pixels: Uint8Array<ArrayBuffer>;
  shape: ImageShape;
  /** The model's answer to the pixels. */
  answer: Answer;
  classIndex: number;
}

/**
 * Computes heat maps, each finer than the one before. The model is free between batches, so that a new picture is
 * not kept waiting.
 *
 * @param isCurrent whether maps are still wanted; they end when it returns false
 * @throws {Trouble} if the model does not answer
 */
export async function* heatMaps(
  runner: Runner,
  subject: Subject,
  isCurrent: () => boolean,
): AsyncGenerator<HeatMap, void> {
  const { shape, answer, classIndex } = subject;
  const grids = gridsFor(shape);
  // Of one image, in ms.
  let imageMs = answer.ms;
  const expectedMs = ({ width, height }: Size): number => width * height * imageMs;
  const first = Math.max(0, grids.findLastIndex((grid) => expectedMs(grid) <= FIRST_MS));
  const classes = answer.logits.length;
  const whole = logOdds(answer.logits, classIndex);
  const backgrounds = backgroundsOf(subject);
  for (const [i, grid] of grids.entries()) {
    if (i < first || i > first && expectedMs(grid) > FINER_MS) continue;
    const cells = new Float32Array(grid.width * grid.height);
    for (let start = 0; start < cells.length;) {
      const most = Math.max(1, Math.floor(runner.batchMs / imageMs));
      const count = Math.min(most, cells.length - start);
      const { logits, ms } = await runner.run(occlude(subject, backgrounds, grid, start, count));
      imageMs = ms / count;
      for (let n = 0; n < count; n++) {
        cells[start + n] = whole - logOdds(logits.subarray(n * classes, (n + 1) * classes), classIndex);
      }
      start += count;
      // Input events are handled here where the model runs on the page's own thread.
      await new Promise((resolve) => setTimeout(resolve, 0));
      if (!isCurrent()) return;
    }
    yield { ...grid, cells };
  }
}

/** The grids for an image, without those that have more cells than it has pixels. */
function gridsFor({ width, height }: ImageShape): Size[] {
  const longer = Math.max(width, height);
  const counts = new Set(GRIDS.map((count) => Math.min(count, longer)));
  return [...counts].map((count) => ({
    width: Math.max(1, Math.round(width * count / longer)),
    height: Math.max(1, Math.round(height * count / longer)),
  }));
}

/** What a hidden square shows, of each channel. */
function backgroundsOf({ pixels, shape }: Subject): number[] {
  const area = shape.height * shape.width;
  return Array.from(
    { length: shape.channels },
    (_, c) => borderMedian(pixels.subarray(c * area, (c + 1) * area), shape),
  );
}

/**
 * Copies of the image, each with one cell hidden and half of its neighbours, as what matters is often larger than a
 * cell.
 *
 * @returns `[count, C, H, W]`
 */
function occlude(
  { pixels, shape: { channels, height, width } }: Subject,
  backgrounds: readonly number[],
  grid: Size,
  start: number,
  count: number,
): Uint8Array<ArrayBuffer> {
  const images = new Uint8Array(count * pixels.length);
  const across = spans(width, grid.width), down = spans(height, grid.height);
  for (let n = 0; n < count; n++) {
    const image = images.subarray(n * pixels.length, (n + 1) * pixels.length);
    image.set(pixels);
    const [left, right] = across[(start + n) % grid.width]!;
    const [top, bottom] = down[Math.floor((start + n) / grid.width)]!;
    for (let c = 0; c < channels; c++) {
      for (let y = top; y < bottom; y++) {
        const line = (c * height + y) * width;
        image.fill(backgrounds[c]!, line + left, line + right);
      }
    }
  }
  return images;
}

/** The first pixel that is hidden with each cell of one axis, and the one after the last. */
function spans(pixels: number, cells: number): [first: number, end: number][] {
  const side = pixels / cells;
  const margin = Math.floor(side / 2);
  return Array.from({ length: cells }, (_, i) => [
    Math.max(0, Math.round(i * side) - margin),
    Math.min(pixels, Math.round((i + 1) * side) + margin),
  ]);
}

/** log(p / (1 − p)) of one class, which unlike p still changes where the model is nearly certain. */
function logOdds(logits: Float32Array, classIndex: number): number {
  const others = logits.filter((_, i) => i !== classIndex);
  // The logarithm of the sum of the others' exponentials, by the cross-entropy of any of them.
  return others.length === 0 ? 0 : logits[classIndex]! - others[0]! - crossEntropy(others, 0);
}
