/**
 * Which pixels matter, by occlusion (Zeiler and Fergus, 2014, https://arxiv.org/abs/1311.2901): a small square is
 * painted over with the background and the image is classified again. What the label loses is what the square
 * contributed. The model runs once for every position of the square, in batches.
 *
 * @module
 */
/// <reference lib="dom" />
import type { ImageShape } from "../../../shared/contract.ts";
import { borderMedian } from "../../../shared/image.ts";
import { crossEntropy } from "../../../shared/softmax.ts";
import type { Runner } from "./runner.ts";

/** Places of the square along the longer side. */
const PLACES = 14;

/**
 * Computes a heat map.
 *
 * @param pixels `[C, H, W]`, 0..255
 * @param classIndex the label that it is about
 * @returns `[H, W]`: how much the log-odds of the label fall where the square lies on a pixel, on average;
 * negative where they rise
 */
export async function heatMap(
  runner: Runner,
  pixels: Uint8Array<ArrayBuffer>,
  { channels, height, width }: ImageShape,
  classIndex: number,
): Promise<Float32Array> {
  const step = Math.max(1, Math.ceil(Math.max(height, width) / PLACES));
  // Squares overlap by half, and reach over the edges as often as over anything else.
  const side = 2 * step;
  const places: [x: number, y: number][] = [];
  for (let y = -step; y < height; y += step) {
    for (let x = -step; x < width; x += step) places.push([x, y]);
  }
  const size = pixels.length;
  const area = height * width;
  const batch = new Uint8Array((places.length + 1) * size);
  batch.set(pixels);
  const backgrounds = Array.from(
    { length: channels },
    (_, c) => borderMedian(pixels.subarray(c * area, (c + 1) * area), { width, height }),
  );
  const eachPixel = ([left, top]: [number, number], visit: (i: number) => void): void => {
    for (let y = Math.max(top, 0); y < Math.min(top + side, height); y++) {
      for (let x = Math.max(left, 0); x < Math.min(left + side, width); x++) visit(y * width + x);
    }
  };
  for (const [n, place] of places.entries()) {
    const image = batch.subarray((n + 1) * size, (n + 2) * size);
    image.set(pixels);
    eachPixel(place, (i) => {
      for (let c = 0; c < channels; c++) image[c * area + i] = backgrounds[c]!;
    });
  }
  const { logits } = await runner.run(batch);
  const classes = logits.length / (places.length + 1);
  const odds = (n: number): number => logOdds(logits.subarray(n * classes, (n + 1) * classes), classIndex);
  const whole = odds(0);
  const heat = new Float32Array(area);
  const visits = new Float32Array(area);
  for (const [n, place] of places.entries()) {
    const loss = whole - odds(n + 1);
    eachPixel(place, (i) => {
      heat[i]! += loss;
      visits[i]!++;
    });
  }
  return heat.map((sum, i) => sum / visits[i]!);
}

/** log(p / (1 − p)) of one class, which unlike p still changes where the model is nearly certain. */
function logOdds(logits: Float32Array, classIndex: number): number {
  const others = logits.filter((_, i) => i !== classIndex);
  // The logarithm of the sum of the others' exponentials, by the cross-entropy of any of them.
  return others.length === 0 ? 0 : logits[classIndex]! - others[0]! - crossEntropy(others, 0);
}

const FOR = [222, 84, 52] as const;
const AGAINST = [64, 132, 214] as const;

/** Paints a heat map over the grey of the picture. */
export function paintHeat(
  canvas: HTMLCanvasElement,
  heat: Float32Array | undefined,
  pixels: Uint8Array | undefined,
  { channels, height, width }: ImageShape,
): void {
  const context = canvas.getContext("2d")!;
  const picture = context.createImageData(width, height);
  const area = width * height;
  const most = Math.max(1e-6, ...(heat ?? []).map(Math.abs));
  for (let i = 0; i < area; i++) {
    let grey = 0;
    for (let c = 0; c < channels; c++) grey += (pixels?.[c * area + i] ?? 0) / channels;
    const share = (heat?.[i] ?? 0) / most;
    const colour = share > 0 ? FOR : AGAINST;
    const strength = Math.abs(share);
    for (let c = 0; c < 3; c++) {
      picture.data[4 * i + c] = 0.45 * grey * (1 - strength) + colour[c]! * strength;
    }
    picture.data[4 * i + 3] = 255;
  }
  context.putImageData(picture, 0, 0);
}
