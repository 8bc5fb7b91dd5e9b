import { assertEquals } from "@std/assert";
import { pictureReader } from "../../serve/decode/picture.ts";
import { shortSideFor } from "../../shared/decode/limits.ts";
import { decodePicture } from "../../shared/decode/picture.ts";
import { costlyJpeg, costlyPng, costlyWebp } from "../bench/costly_pictures.ts";

const size = { width: 300, height: 300 };
const FILES = {
  PNG: costlyPng({ size, format: [2, 8], filter: 4, noise: 1 }),
  JPEG: await costlyJpeg({ size, noise: 0.1, quality: 85, progressive: false, subsampling: 2 }),
  WebP: await costlyWebp({ size, noise: 0.1, quality: 85 }),
};

Deno.test("pictureReader() lets other events in between decoding and fitting, as both may take long", async (t) => {
  const input = { channels: 1, height: 28, width: 28 };
  for (const [format, bytes] of Object.entries(FILES)) {
    await t.step(format, async () => {
      let turns = 0;
      const limits = { maxPixels: 90_000, turn: (): Promise<void> => Promise.resolve(void turns++) };
      await decodePicture(bytes, { ...limits, shortSide: shortSideFor(input) });
      const decoding = turns;
      const target = new Float32Array(784);
      await pictureReader(input, limits)(bytes, target);
      assertEquals(turns - decoding, decoding + 1);
    });
  }
});
