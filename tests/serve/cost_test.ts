import { assertEquals, assertGreater, assertLess } from "@std/assert";
import { readConfig } from "../../serve/config.ts";
import { estimateMicros } from "../../serve/decode/cost.ts";
import type { Task } from "../../serve/decode/task.ts";
import { pictureMicros, pictureWork } from "../../shared/decode/cost.ts";
import { jpegOfScans, type ScansRecipe } from "../bench/costly_jpeg.ts";
import { costlyWebp, form, type WebpRecipe } from "../bench/costly_pictures.ts";
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
  // Each pixel has 8 bytes, which are inflated and copied.
  assertGreater(micros, pixels * 0.03);
  const { type, body } = form(Array.from({ length: 200 }, () => png(1448, 1448)));
  assertLess(estimate(type, body), 5 * micros + 200 * 200);
  const json = new TextEncoder().encode(
    JSON.stringify({ images: Array.from({ length: 200 }, () => png(1448, 1448).toBase64()) }),
  );
  assertLess(estimate("application/json", json), 5 * micros + 200 * 200);
});

const SHORT_SIDE = 256;

Deno.test("Pictures are told apart by what makes them slow, from their headers", async () => {
  const kindOf = (bytes: Uint8Array): string | undefined =>
    pictureWork(bytes, { maxPixels: config.maxPixels, shortSide: SHORT_SIDE })?.kind;
  const scans: ScansRecipe = {
    size: { width: 300, height: 300 },
    components: 1,
    progressive: false,
    coefficients: 0,
    scans: 2,
  };
  const of = (side: number, progressive: boolean): string | undefined =>
    kindOf(jpegOfScans({ ...scans, size: { width: 2100, height: side }, progressive }));
  assertEquals(of(511, false), "jpeg");
  assertEquals(of(512, false), "reducedJpeg");
  assertEquals(of(511, true), "progressiveJpeg");
  assertEquals(of(512, true), "reducedProgressiveJpeg");
  assertEquals(of(2047, true), "reducedProgressiveJpeg");
  assertEquals(of(2048, true), "dcOfJpeg");
  const webp: WebpRecipe = {
    size: { width: 20, height: 30 },
    noise: 1,
    quality: 50,
  };
  assertEquals(kindOf(await costlyWebp(webp)), "webp");
  assertEquals(kindOf(await costlyWebp({ ...webp, transparent: true })), "transparentWebp");
  assertEquals(kindOf(await costlyWebp({ ...webp, lossless: true })), "losslessWebp");
  assertEquals(kindOf(await costlyWebp({ ...webp, lossless: true, transparent: true })), "losslessWebp");
  assertEquals(kindOf(png(20, 30)), "png");
  assertEquals(kindOf(new TextEncoder().encode("GIF89a".repeat(10))), undefined);
});

Deno.test("What a picture's header counts is what its decoder has to do", () => {
  const limits = { maxPixels: config.maxPixels, shortSide: SHORT_SIDE };
  const size = { width: 600, height: 520 };
  const halved = jpegOfScans({
    size,
    components: 3,
    sampling: [2, 2],
    progressive: false,
    coefficients: 1,
    scans: 1,
  });
  assertEquals(pictureWork(halved, limits), {
    kind: "reducedJpeg",
    counts: { pixels: 300 * 260, samples: 608 * 528 * 1.5, file: halved.length },
    spent: 300 * 260,
  });
  const interlaced = pngFile(["IHDR", headerOf({ ...size, depth: 16, colour: 2, interlaced: true })]);
  assertEquals(pictureWork(interlaced, limits, 5000), {
    kind: "png",
    counts: { pixels: 600 * 520, data: 600 * 520 * 6, lines: 975, file: 5000, excess: 0 },
    spent: 600 * 520,
  });
  const data = 600 * 520 * 6 + 975;
  assertEquals(pictureWork(interlaced, limits, data)!.counts.excess, 0);
  assertEquals(pictureWork(interlaced, limits, data + 5000)!.counts.excess, 5000);
});

Deno.test("A PNG whose file is longer than its pixels need is more work for each byte", () => {
  const micros = (file: number): number =>
    pictureMicros(png(8, 8), { maxPixels: config.maxPixels, shortSide: SHORT_SIDE }, file);
  // The bytes of blocks that hold nothing take 75 to 90 ns each.
  assertGreater(micros(8_000_000), 8_000_000 * 0.07);
});

Deno.test("A WebP's transparency is counted by its own bytes", async () => {
  const recipe: WebpRecipe = {
    size: { width: 64, height: 64 },
    noise: 1,
    quality: 50,
    lossless: false,
    transparent: true,
    method: 0,
    smoothing: 0,
  };
  const bytes = await costlyWebp(recipe);
  const at = new TextDecoder("latin1").decode(bytes).indexOf("ALPH");
  const alpha = new DataView(bytes.buffer, bytes.byteOffset).getUint32(at + 4, true);
  assertEquals(pictureWork(bytes, { maxPixels: config.maxPixels }), {
    kind: "transparentWebp",
    counts: { pixels: 64 * 64, file: bytes.length - alpha, alpha },
    spent: 64 * 64,
  });
});

Deno.test("A large JPEG that is decoded at reduced scale is work, within what its request may spend", () => {
  const large = (width: number, height: number): Uint8Array<ArrayBuffer> =>
    Uint8Array.of(
      ...[0xff, 0xd8, 0xff, 0xc0, 0, 17, 8, height >> 8, height & 255, width >> 8, width & 255, 3],
      ...[1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0],
    );
  assertGreater(estimate("image/jpeg", large(8000, 8000)), 50_000);
  const { type, body } = form([large(8000, 8000), large(8000, 8000)]);
  assertLess(estimate(type, body), 1.1 * estimate("image/jpeg", large(8000, 8000)));
  // Beyond the pixels before scaling, and too many at full size.
  assertLess(estimate("image/jpeg", large(9000, 8000)), 1000);
  assertLess(estimate("image/jpeg", large(50_000, 200)), 1000);
});
