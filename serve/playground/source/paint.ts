/**
 * Paints what the model sees, and which pixels of it matter.
 *
 * @module
 */
/// <reference lib="dom" />
import type { ImageShape } from "../../../shared/contract.ts";
import type { HeatMap } from "./heat_map.ts";

// Amber and blue, which most people can tell apart; red would look like an error.
const FOR = [245, 170, 30] as const;
const AGAINST = [52, 120, 214] as const;
/** How bright the picture is under the colours. */
const DIMMED = 0.45;

/** Paints `[C, H, W]`, 0..255, pixel by pixel; nothing if there are none. */
export function paintPixels(
  canvas: HTMLCanvasElement,
  pixels: Uint8Array | undefined,
  { channels, height, width }: ImageShape,
): void {
  if (!pixels) return clear(canvas);
  const area = width * height;
  paint(canvas, (i, c) => pixels[(channels === 3 ? c : 0) * area + i]!);
}

/** Paints a heat map over the dimmed grey of the picture, or that alone; nothing if there is no picture. */
export function paintHeat(
  canvas: HTMLCanvasElement,
  map: HeatMap | undefined,
  pixels: Uint8Array | undefined,
  { channels, height, width }: ImageShape,
): void {
  if (!pixels) return clear(canvas);
  const area = width * height;
  const heat = map ? interpolate(map, { channels, height, width }) : new Float32Array(area);
  const most = heat.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6);
  const greys = new Float32Array(area);
  for (let i = 0; i < area; i++) {
    for (let c = 0; c < channels; c++) greys[i]! += pixels[c * area + i]! / channels;
  }
  paint(canvas, (i, c) => {
    const share = heat[i]! / most;
    const strength = Math.abs(share);
    return DIMMED * greys[i]! * (1 - strength) + (share > 0 ? FOR : AGAINST)[c]! * strength;
  });
}

/** Bilinear interpolation between the centres of the cells: `[H, W]`. */
function interpolate(map: HeatMap, { height, width }: ImageShape): Float32Array {
  const heat = new Float32Array(height * width);
  const across = Array.from({ length: width }, (_, x) => between(x, width, map.width));
  for (let y = 0; y < height; y++) {
    const [top, bottom, down] = between(y, height, map.height);
    for (let x = 0; x < width; x++) {
      const [left, right, along] = across[x]!;
      const value = (row: number): number =>
        map.cells[row * map.width + left]! * (1 - along) + map.cells[row * map.width + right]! * along;
      heat[y * width + x] = value(top) * (1 - down) + value(bottom) * down;
    }
  }
  return heat;
}

/** The two cells whose centres a pixel is between, and its distance from the first, 0..1. */
function between(
  pixel: number,
  pixels: number,
  cells: number,
): [first: number, second: number, share: number] {
  const at = Math.min(cells - 1, Math.max(0, (pixel + 0.5) * cells / pixels - 0.5));
  const first = Math.floor(at);
  return [first, Math.min(cells - 1, first + 1), at - first];
}

function clear(canvas: HTMLCanvasElement): void {
  canvas.getContext("2d")!.clearRect(0, 0, canvas.width, canvas.height);
}

/** @param value of a pixel's channel, 0..255; channels are red, green and blue */
function paint(canvas: HTMLCanvasElement, value: (pixel: number, channel: number) => number): void {
  const context = canvas.getContext("2d")!;
  const picture = context.createImageData(canvas.width, canvas.height);
  for (let i = 0; i < picture.data.length / 4; i++) {
    for (let c = 0; c < 3; c++) picture.data[4 * i + c] = value(i, c);
    picture.data[4 * i + 3] = 255;
  }
  context.putImageData(picture, 0, 0);
}
