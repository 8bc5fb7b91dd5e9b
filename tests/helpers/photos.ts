/**
 * Pictures that cost a decoder what photographs cost it: no two neighbours alike, and the PNG filter that takes
 * the most arithmetic on every line.
 *
 * @module
 */
import { deflateSync } from "node:zlib";
import { Random } from "../../shared/random.ts";
import { headerOf, pngFile } from "./png_encoder.ts";

/** Draws a disc on a noisy ramp and encodes it as PNG, 8 bits of red, green and blue, Paeth on every line. */
export function photo(width: number, height: number, seed: number): Uint8Array<ArrayBuffer> {
  const random = new Random(seed);
  const colours = Array.from({ length: 3 }, () => [random.below(90), 255 - random.below(90)] as const);
  const [x0, y0, radius] = [0.3 + 0.4 * random.uniform(), 0.3 + 0.4 * random.uniform(), 0.25];
  const stride = width * 3;
  const pixels = new Uint8Array(stride * height);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const inside = (x / width - x0) ** 2 + (y / height - y0) ** 2 < radius ** 2;
      const light = 30 * y / height + (random.uint32() & 63);
      for (let c = 0; c < 3; c++, i++) pixels[i] = colours[c]![inside ? 1 : 0] / 2 + 60 + light;
    }
  }
  const lines = new Uint8Array((stride + 1) * height);
  for (let y = 0; y < height; y++) {
    lines[y * (stride + 1)] = 4;
    for (let i = 0; i < stride; i++) {
      const at = y * stride + i;
      const left = i < 3 ? 0 : pixels[at - 3]!, up = y === 0 ? 0 : pixels[at - stride]!;
      const corner = i < 3 || y === 0 ? 0 : pixels[at - stride - 3]!;
      const p = left + up - corner;
      const [a, b, c] = [Math.abs(p - left), Math.abs(p - up), Math.abs(p - corner)];
      lines[y * (stride + 1) + 1 + i] = pixels[at]! - (a <= b && a <= c ? left : b <= c ? up : corner);
    }
  }
  const header = headerOf({ width, height, depth: 8, colour: 2, interlaced: false });
  return pngFile(["IHDR", header], ["IDAT", deflateSync(lines)], ["IEND", new Uint8Array()]);
}
