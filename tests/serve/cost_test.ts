import { assertGreater, assertLess } from "@std/assert";
import { readConfig } from "../../serve/config.ts";
import { estimateMicros } from "../../serve/decode/cost.ts";
import type { Task } from "../../serve/decode/task.ts";
import { form } from "../bench/costly_pictures.ts";
import { headerOf, pngFile } from "../helpers/png_encoder.ts";

const config = readConfig({});

function estimate(contentType: string, body: Uint8Array<ArrayBuffer>): number {
  const model = { input: { channels: 1, height: 28, width: 28 }, imageSize: 784, classes: 10, outputs: [] };
  return estimateMicros({ form: "classify", contentType, body, model, limits: config } as Task);
}

function png(width: number, height: number): Uint8Array<ArrayBuffer> {
  return pngFile(["IHDR", headerOf({ width, height, depth: 16, colour: 6, interlaced: false })]);
}

Deno.test("A header that announces too many pixels makes no work, so it keeps nobody else waiting", () => {
  for (const side of [1500, 2 ** 31 - 1]) assertLess(estimate("image/png", png(side, side)), 1000);
  const jpeg = Uint8Array.of(
    0xff,
    0xd8,
    0xff,
    0xc0,
    0,
    17,
    8,
    0xff,
    0xff,
    0xff,
    0xff,
    ...new Array(20).fill(0),
  );
  assertLess(estimate("image/jpeg", jpeg), 1000);
  const webp = new Uint8Array(30);
  webp.set(new TextEncoder().encode("RIFF"), 0);
  webp.set(new TextEncoder().encode("WEBPVP8X"), 8);
  webp.fill(0xff, 24);
  assertLess(estimate("image/webp", webp), 1000);
});

Deno.test("Pictures beyond the pixels of a request make no work either", () => {
  const { pixels, micros } = { pixels: config.maxPixels, micros: estimate("image/png", png(1448, 1448)) };
  assertGreater(micros, pixels * 0.05);
  const { type, body } = form(Array.from({ length: 200 }, () => png(1448, 1448)));
  assertLess(estimate(type, body), 5 * micros + 200 * 200);
  const json = new TextEncoder().encode(
    JSON.stringify({ images: Array.from({ length: 200 }, () => png(1448, 1448).toBase64()) }),
  );
  assertLess(estimate("application/json", json), 5 * micros + 200 * 200);
});
