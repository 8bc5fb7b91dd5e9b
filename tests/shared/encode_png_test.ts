import { assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { decodePicture } from "../../shared/decode/picture.ts";
import { encodePng } from "../../shared/encode/png.ts";
import { InputError } from "../../shared/errors.ts";

Deno.test("encodePng() writes grey and RGB pixels that decodePicture() reads", async () => {
  const image = fc.tuple(
    fc.constantFrom(1, 3),
    fc.integer({ min: 1, max: 9 }),
    fc.integer({ min: 1, max: 9 }),
  );
  await fc.assert(
    fc.asyncProperty(image, fc.nat(), async ([channels, height, width], seed) => {
      const data = Uint8Array.from({ length: channels * height * width }, (_, i) => (i * 37 + seed) % 256);
      const png = await encodePng({ channels, height, width, data });
      const found = await decodePicture(png, { maxPixels: 100 });
      assertEquals([found.width, found.height], [width, height]);
      const samples = found.data.length / (width * height);
      for (let i = 0; i < width * height; i++) {
        for (let channel = 0; channel < channels; channel++) {
          assertEquals(found.data[i * samples + channel], data[channel * width * height + i]);
        }
      }
    }),
    { numRuns: 100 },
  );
});

Deno.test("encodePng() rejects images of other channels", async () => {
  const image = { channels: 2, height: 1, width: 1, data: new Uint8Array(2) };
  await assertRejects(
    () => encodePng(image),
    InputError,
    "must be grey or RGB: current number of channels is 2",
  );
});
