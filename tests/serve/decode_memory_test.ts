import { assertEquals, assertLess } from "@std/assert";
import { pictureReader } from "../../serve/decode/picture.ts";
import { resizePlane } from "../../shared/resample.ts";
import { costlyJpeg, costlyPng } from "../bench/costly_pictures.ts";

const LIMITS = { maxPixels: 2_097_152 };
const MB = 1e6;

/** Bytes of array buffers, free ones that no collector has looked at included. */
function buffers(): number {
  return Deno.memoryUsage().external;
}

for (const preprocessing of ["grey-on-black-1", "grey-on-black-2", "rgb-squash-1"] as const) {
  Deno.test(`A picture that has been read leaves no memory to the collector, ${preprocessing}`, async () => {
    const pictures = {
      line: costlyPng({ size: { width: 2_097_152, height: 1 }, format: [6, 16], filter: 4, noise: 0 }),
      noise: costlyPng({ size: { width: 1000, height: 1000 }, format: [2, 8], filter: 1, noise: 1 }),
      jpeg: await costlyJpeg({
        size: { width: 1400, height: 1400 },
        noise: 0.1,
        quality: 85,
        progressive: false,
        subsampling: 1,
      }),
    };
    const channels = preprocessing === "rgb-squash-1" ? 3 : 1;
    const read = pictureReader({ width: 28, height: 28, channels, preprocessing }, LIMITS);
    const target = new Float32Array(channels * 784);
    for (const [name, picture] of Object.entries(pictures)) {
      // The decoder starts, and code is compiled.
      await read(picture, target);
      const before = buffers();
      for (let i = 0; i < 3; i++) await read(picture, target);
      // The decoded picture alone has 4 to 8 MB.
      assertLess(buffers() - before, 3 * MB, name);
    }
  });
}

Deno.test("resizePlane() takes no memory for all rows of a tall picture", () => {
  const height = 1_000_000, target = { width: 224, height: 224 };
  const plane = new Uint8Array(height).map((_, i) => i >> 12);
  const before = buffers();
  const resized = resizePlane(plane, 1, { left: 0, top: 0, width: 1, height }, target);
  // 896 MB for all of them.
  assertLess(buffers() - before, 50 * MB);
  assertEquals([resized[0], resized.at(-1)], [0, 243]);
});
