import { assert, assertEquals, assertGreater, assertLess, assertRejects } from "@std/assert";
import fc from "fast-check";
import { turn } from "../../serve/turn.ts";
import { parseJpeg } from "../../shared/decode/jpeg_layout.ts";
import { decodeScaled, type JpegPicture } from "../../shared/decode/libjpeg.ts";
import { decodePicture } from "../../shared/decode/picture.ts";
import { InputError } from "../../shared/errors.ts";
import { jpegOfScans, type ScansRecipe } from "../bench/costly_jpeg.ts";
import { costlyJpeg } from "../bench/costly_pictures.ts";

const MAX_PIXELS = 2 * 1024 * 1024;

/** What the decoder needs to know about a file. */
function pictureOf(file: Uint8Array, scale: number): JpegPicture {
  const { width, height, components } = parseJpeg(file, { maxPixels: MAX_PIXELS });
  return { width, height, scale, channels: components.length === 1 ? 1 : 3, coefficients: 1e6 };
}

const SCANS: ScansRecipe = {
  size: { width: 100, height: 70 },
  components: 3,
  sampling: [2, 2],
  progressive: false,
  coefficients: 20,
  scans: 4,
};

Deno.test("decodeScaled() gives the same pixels whatever pieces the file comes in, and goes on after damaged files", async () => {
  const jpeg = { size: { width: 101, height: 67 }, noise: 0.5, quality: 90 };
  const files = await Promise.all([
    costlyJpeg({ ...jpeg, progressive: false, subsampling: 2 }),
    costlyJpeg({ ...jpeg, progressive: true, subsampling: 1 }),
    jpegOfScans({ ...SCANS, interval: 2 }),
    jpegOfScans({ ...SCANS, separate: true }),
    jpegOfScans({ ...SCANS, components: 1 }),
    jpegOfScans({ ...SCANS, progressive: true, scans: 10, interval: 3 }),
  ]);
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.nat(files.length - 1),
      fc.constantFrom(1, 2, 4, 8),
      fc.option(fc.tuple(fc.double({ min: 0.3, max: 0.999, noNaN: true }), fc.integer({ min: 1, max: 255 }))),
      fc.integer({ min: 1, max: 700 }),
      async (n, scale, damage, chunk) => {
        const bytes = files[n]!.slice(), picture = pictureOf(bytes, scale);
        const expected = await decodeScaled(bytes, picture);
        assert(expected);
        assertEquals(await decodeScaled(bytes, picture, undefined, chunk), expected);
        if (!damage) return;
        // It may be refused in one way and not in the other: with many bytes ahead, some wrong codes are not noticed.
        bytes[Math.floor(damage[0] * bytes.length)]! ^= damage[1];
        const damaged = await decodeScaled(bytes, picture, undefined, chunk);
        if (!damaged) refused++;
      },
    ),
    { numRuns: 600 },
  );
  assertGreater(refused, 50);
  assertLess(refused, 550);
});

Deno.test("decodePicture() reads a JPEG with a scan for each component as one with a scan for all, at any scale", async () => {
  const recipe = { ...SCANS, size: { width: 803, height: 605 }, coefficients: 9, interval: 7 };
  for (const shortSide of [605, 302, 151, 75]) {
    const limits = { maxPixels: MAX_PIXELS, shortSide };
    const [together, separate] = await Promise.all(
      [false, true].map((separate) => decodePicture(jpegOfScans({ ...recipe, separate }), limits)),
    );
    assertEquals(separate!.width, together!.width);
    // The noise of the two differs, and its mean does not.
    const mean = ({ data }: { data: Uint8Array }): number =>
      data.reduce((sum, value) => sum + value, 0) / data.length;
    assertLess(Math.abs(mean(separate!) - mean(together!)), 3);
  }
});

Deno.test("decodePicture() refuses a large JPEG of several scans whose coefficients would take too much memory", async () => {
  const file = jpegOfScans({
    ...SCANS,
    size: { width: 1000, height: 1000 },
    sampling: [1, 1],
    separate: true,
  });
  const limits = { maxPixels: 599_000, shortSide: 300 };
  await assertRejects(() => decodePicture(file, limits), InputError, "must take at most 5990000 bytes");
  // At 1/8 only the DC coefficients are kept.
  const { width } = await decodePicture(file, { ...limits, shortSide: 100 });
  assertEquals(width, 125);
});

Deno.test("decodePicture() lets other events in while a JPEG is decoded, every 64 kB and every 512 Ki pixels", async () => {
  const size = { width: 2000, height: 1000 };
  const noise = { size, noise: 1, quality: 90, subsampling: 1 };
  const files: [Uint8Array<ArrayBuffer>, shortSide: number, pixels: number][] = [
    [await costlyJpeg({ ...noise, progressive: false }), 1000, 2e6],
    [await costlyJpeg({ ...noise, progressive: true }), 1000, 2e6],
    [await costlyJpeg({ ...noise, progressive: true }), 500, 2e6],
    // Few bytes, many pixels.
    [jpegOfScans({ ...SCANS, size: { width: 6000, height: 6000 }, coefficients: 0 }), 750, 36e6],
    [
      jpegOfScans({
        ...SCANS,
        size: { width: 2400, height: 2400 },
        progressive: true,
        coefficients: 0,
        scans: 12,
      }),
      1200,
      12 * 2400 * 2400,
    ],
  ];
  for (const [file, shortSide, pixels] of files) {
    let turns = 0;
    const limits = { maxPixels: MAX_PIXELS, shortSide, turn: () => (turns++, turn()) };
    const { data } = await decodePicture(file, limits);
    assert(turns >= Math.max(file.length / 65_536, pixels / 600_000), `${turns} turns`);
    assertLess(turns, 20 + 2 * (file.length / 65_536 + pixels / 100_000));
    // It is the same picture, and others may be decoded meanwhile.
    const small = await costlyJpeg({ ...noise, size: { width: 90, height: 60 }, progressive: true });
    const [again, little] = await Promise.all([decodePicture(file, limits), decodePicture(small, limits)]);
    assertEquals([again.data.length, little.data.length], [data.length, 3 * 90 * 60]);
    assert(again.data.every((value, i) => value === data[i]));
  }
});

Deno.test("decodePicture() reads a JPEG of one line of the largest width, whose decoder needs more lines", async () => {
  for (const [width, height] of [[65_500, 1], [1, 65_500]] as const) {
    for (const sampling of [[1, 1], [2, 2], [1, 4], [4, 2]] as const) {
      for (const progressive of [false, true]) {
        const file = jpegOfScans({
          ...SCANS,
          size: { width, height },
          sampling,
          progressive,
          coefficients: 5,
        });
        assertEquals((await decodePicture(file, { maxPixels: 65_500 })).data.length, 3 * 65_500);
      }
    }
  }
});
