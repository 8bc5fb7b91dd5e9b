import { assert, assertEquals, assertGreater, assertLess, assertRejects } from "@std/assert";
import fc from "fast-check";
import { crc32 } from "node:zlib";
import { parseJpeg } from "../../shared/decode/jpeg_layout.ts";
import { type PictureLimits, shortSideFor } from "../../shared/decode/limits.ts";
import { decodePicture } from "../../shared/decode/picture.ts";
import { InputError } from "../../shared/errors.ts";
import { fitImage, type Image } from "../../shared/image.ts";
import { PHONE, phonePhoto, scene } from "../helpers/phone_photo.ts";
import { encodeJpeg } from "../helpers/picture_encoders.js";

const MAX_PIXELS = 2 * 1024 * 1024;

/** The means of all blocks of `scale`×`scale` pixels, red, green and blue. */
function blockMeans({ width, height, channels, data }: Image, scale: number): Image {
  const columns = Math.ceil(width / scale), rows = Math.ceil(height / scale);
  const sums = new Float64Array(columns * rows * 3), counts = new Float64Array(columns * rows);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i += channels) {
      const block = Math.floor(y / scale) * columns + Math.floor(x / scale);
      counts[block]!++;
      for (let c = 0; c < 3; c++) sums[3 * block + c]! += data[channels === 1 ? i : i + c]!;
    }
  }
  const means = Uint8Array.from(sums, (sum, i) => Math.round(sum / counts[Math.floor(i / 3)]!));
  return { width: columns, height: rows, channels: 3, data: means };
}

/** The mean and the largest difference of two pictures; a grey one counts for all three colours. */
function difference(a: Image, b: Image): { mean: number; largest: number } {
  assertEquals([a.width, a.height], [b.width, b.height]);
  let sum = 0, largest = 0;
  for (let i = 0; i < 3 * a.width * a.height; i++) {
    const at = ({ channels, data }: Image): number =>
      data[Math.floor(i / 3) * channels + (channels === 1 ? 0 : i % 3)]!;
    const apart = Math.abs(at(a) - at(b));
    sum += apart;
    largest = Math.max(largest, apart);
  }
  return { mean: sum / (3 * a.width * a.height), largest };
}

Deno.test("decodePicture() reads photographs of 12 megapixels within the limits of a server", async (t) => {
  const limits = { maxPixels: MAX_PIXELS, shortSide: shortSideFor({ width: 224, height: 224 }) };
  for (const progressive of [false, true]) {
    await t.step(progressive ? "progressive" : "sequential", async () => {
      const photo = await phonePhoto({ progressive, auto_subsample: false });
      await assertRejects(() => decodePicture(photo, { maxPixels: MAX_PIXELS }), InputError, "4032x3024");
      const start = performance.now();
      const reduced = await decodePicture(photo, limits);
      const ms = performance.now() - start;
      assertEquals([reduced.width, reduced.height, reduced.channels], [504, 378, 3]);
      const full = await decodePicture(photo, { maxPixels: PHONE.width * PHONE.height });
      const blocks = difference(reduced, blockMeans(full, 8));
      assertLess(blocks.mean, 1);
      assertLess(blocks.largest, 8);
      const input = { width: 224, height: 224, channels: 3 } as const;
      const [a, b] = [reduced, full].map((image): Image => ({
        ...input,
        data: planes(fitImage(image, input)),
      }));
      const fitted = difference(a!, b!);
      assertLess(fitted.mean, 1);
      assertLess(fitted.largest, 8);
      // deno-lint-ignore no-console -- times are printed, not asserted
      console.log(
        `    ${photo.length} bytes in ${ms.toFixed(0)} ms, off by ${fitted.mean.toFixed(2)} of 255`,
      );
    });
  }
});

/** `[3, height, width]` to `[height, width, 3]` */
function planes(data: Uint8Array): Uint8Array {
  const size = data.length / 3;
  return data.map((_, i) => data[(i % 3) * size + Math.floor(i / 3)]!);
}

Deno.test("decodePicture() decodes at the smallest scale that keeps the short side", async () => {
  const { width, height, data } = scene({ width: 803, height: 605 });
  const wanted = { channels: 4, width, height, data } as const;
  for (
    const options of [
      { chroma_subsample: 1 },
      { chroma_subsample: 2 },
      { chroma_subsample: 2, progressive: false },
      { color_space: 1 },
      { color_space: 1, progressive: false },
    ]
  ) {
    const jpeg = await encodeJpeg({ width, height, data }, {
      quality: 95,
      auto_subsample: false,
      ...options,
    });
    const original = options.color_space === 1
      ? await decodePicture(jpeg, { maxPixels: MAX_PIXELS })
      : wanted;
    for (
      const [shortSide, scale] of [[303, 1], [302, 2], [152, 2], [151, 4], [76, 4], [75, 8], [1, 8]] as const
    ) {
      const image = await decodePicture(jpeg, { maxPixels: MAX_PIXELS, shortSide });
      assertEquals([image.width, image.height], [Math.ceil(width / scale), Math.ceil(height / scale)]);
      if (scale === 1) continue;
      assertEquals(image.channels, options.color_space === 1 ? 1 : 3);
      const { mean, largest } = difference(image, blockMeans(original, scale));
      const name = `${JSON.stringify(options)} at 1/${scale}`;
      assertLess(mean, 2, name);
      // The last block of a line has few pixels of its own.
      assertLess(largest, 40, name);
    }
  }
});

Deno.test("decodePicture() respects that the components of a JPEG are named RGB", async () => {
  const picture = scene({ width: 200, height: 200 });
  const jpeg = await encodeJpeg(picture, { color_space: 2, progressive: false });
  const { components } = frame(jpeg);
  assertEquals(String.fromCharCode(...components), "RGB");
  for (const [shortSide, scale] of [[200, 1], [100, 2], [25, 8]] as const) {
    const image = await decodePicture(jpeg, { maxPixels: MAX_PIXELS, shortSide });
    assertLess(difference(image, blockMeans({ ...picture, channels: 4 }, scale)).mean, 3);
  }
});

/** Where a file's frame header is, and its components' identifiers. */
function frame(jpeg: Uint8Array): { at: number; components: number[] } {
  const at = jpeg.findIndex((byte, i) => byte === 0xff && (jpeg[i + 1]! & 0xfc) === 0xc0);
  return { at, components: [0, 1, 2].map((i) => jpeg[at + 10 + 3 * i]!) };
}

Deno.test("decodePicture() turns a JPEG of reduced scale as its EXIF says", async () => {
  const stored = await encodeJpeg(scene({ width: 320, height: 160 }), { quality: 95 });
  const limits = { maxPixels: MAX_PIXELS, shortSide: 20 };
  const upright = await decodePicture(stored, limits);
  assertEquals([upright.width, upright.height], [40, 20]);
  for (let orientation = 1; orientation <= 8; orientation++) {
    const turned = await decodePicture(withOrientation(stored, orientation), limits);
    const full = await decodePicture(withOrientation(stored, orientation), { maxPixels: MAX_PIXELS });
    assertEquals([turned.width, turned.height], orientation < 5 ? [40, 20] : [20, 40]);
    const { mean, largest } = difference(turned, blockMeans(full, 8));
    assertLess(mean, 1.5, `orientation ${orientation}`);
    assertLess(largest, 12, `orientation ${orientation}`);
  }
});

/** The file with an EXIF segment of one entry after the signature. */
function withOrientation(jpeg: Uint8Array, orientation: number): Uint8Array<ArrayBuffer> {
  const exif = [...new TextEncoder().encode("Exif\0\0MM"), 0, 42, 0, 0, 0, 8, 0, 1];
  exif.push(0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0);
  return Uint8Array.from([0xff, 0xd8, 0xff, 0xe1, 0, exif.length + 2, ...exif, ...jpeg.subarray(2)]);
}

Deno.test("decodePicture() refuses a JPEG whose data is missing, at any scale", async (t) => {
  const limits = { maxPixels: MAX_PIXELS, shortSide: 50 };
  for (
    const [progressive, scale] of [[false, 1], [false, 2], [false, 8], [true, 1], [true, 2], [
      true,
      8,
    ]] as const
  ) {
    await t.step(`${progressive ? "progressive" : "sequential"} at 1/${scale}`, async () => {
      const jpeg = await encodeJpeg(scene({ width: 800, height: 600 }), { progressive });
      const scaled = { ...limits, shortSide: Math.floor(600 / scale) };
      const { segments } = parseJpeg(jpeg, scaled);
      // At 1/8 other scans are not read, and in the last few bytes of a short one nothing may be missed.
      const scans = segments.filter(({ start, end, scan }) =>
        scan && (scale < 8 || scan.first === 0) && end - start > 100
      );
      assert(scans.length > 0);
      for (const { start, end } of scans) {
        for (const part of [0.1, 0.5, 0.9]) {
          // What is left still ends as a JPEG does, so only the decoder can notice.
          const cut = start + 14 + Math.floor((end - start - 14) * part);
          const broken = Uint8Array.from([...jpeg.subarray(0, cut), ...jpeg.subarray(end)]);
          const outcome = await decodePicture(broken, scaled).catch((error) => error);
          assert(outcome instanceof InputError, `${end - start} bytes cut to ${part}`);
        }
      }
      await decodePicture(jpeg, scaled);
    });
  }
});

/** 70×50, colour at half the resolution, a restart marker after every second unit; made by Pillow (libjpeg-turbo). */
const RESTARTS = {
  progressive:
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAA0JCgsKCA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZGNywtQFdB" +
    "RkxOUlNSMj5aYVpQYEpRUk//2wBDAQ4ODhMREyYVFSZPNS01T09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09P" +
    "T09PT09PT09PT09PT0//wgARCAAyAEYDASIAAhEBAxEB/8QAGQAAAwEBAQAAAAAAAAAAAAAAAAIDAQUE/8QAGQEAAwEBAQAA" +
    "AAAAAAAAAAAAAwQFAgYB/90ABAAC/9oADAMBAAIQAxAAAAHg1elUU2tvp//Q5hfSuwerIt//0fIXA3fJV6U+T//Sg1tfBEvs" +
    "1r//00erTnkLmy//1Cr0LGm1m0x//9X1l9VBB6si3//W6ZckteKgVuW//9fqsGpBoTm//9DsuELLgbN//8QAFxABAQEBAAAA" +
    "AAAAAAAAAAAAABEBEP/aAAgBAQABBQLMR//QiP/RiP/SiP/TjMf/1Ij/1Yj/1oj/14j/0MxH/9GI/9KI/9OI/9SMx//ViP/W" +
    "iP/XiP/QiP/RzEf/0oj/04j/1Ij/1YzH/9aI/9eI/9CI/9GI/9LOf//T5//U5//V5//Wf//EABgRAQEBAQEAAAAAAAAAAAAA" +
    "AAIAARIQ/9oACAEDAQE/AccXf//QDi7/0e7Hf//SLg7/0y7u/9THF3//1Q4u/9buy//XEL//0D5//8QAFxEBAQEBAAAAAAAA" +
    "AAAAAAAAAgABA//aAAgBAgEBPwEKav/Q7K1X/9HFBX//0mrsr//T1WK//9QKav/V7K1X/9bFC//Xd2v/0Nsv/8QAFRABAQAA" +
    "AAAAAAAAAAAAAAAAEAD/2gAIAQEABj8CP//QP//RP//SP//TP//UP//VP//WP//XP//QP//RP//SP//TP//UP//VP//WP//X" +
    "P//QP//RP//SP//TP//UP//VP//WP//XP//QP//RP//SP//TP//UP//VP//Wv//EABYQAQEBAAAAAAAAAAAAAAAAAAABEP/a" +
    "AAgBAQABPyEx/9CYf//Rz//SYf/TmH//1Ix//9XP/9bP/9eMf//QMf/Rmf8A/9LP/9Nj/9SZf//VjH//1s//18//0Ix//9ER" +
    "/9KY/wD/08//1GP/1Zl//9aMf//Xz//Qz//RhD//0iP/05n/1M//1Yj/1o//2gAMAwEAAgADAAAAEJJ//9Bub//RPk//0pG/" +
    "/9OY/wD/1JoP/9VmT//WOf8A/9cKL//Qi8//xAAYEQEBAQEBAAAAAAAAAAAAAAAQAAEhMf/aAAgBAwEBPxAr/9Ar/9HBf//S" +
    "I//TrOL/1Cv/1Qv/1s4P/9cf/9C55f/EABcRAQEBAQAAAAAAAAAAAAAAAAAhMRD/2gAIAQIBAT8Qkg//0BR//9GCT//Shw//" +
    "06oP/9SSL//VNn//1oMv/9fHH//Q2w//xAAbEAEBAQADAQEAAAAAAAAAAAAAAWEQITFxEf/aAAgBAQABPxDgv//QxR//0fhD" +
    "/9KGb//T6/GD/9TJg//VmHw//9aYTD//18nV4//Q4L//0RD/0iH/05wv/9TqYP/VyYP/1ph8P//XmEw//9DJ1eP/0cWT/9LF" +
    "D//TIf/UnC//1erg/9ZYP//XmHw//9CEw//RfX4//9Il/9Mkf//U/Ej/1eH/1p6f/9k=",
  sequential:
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAA0JCgsKCA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZGNywtQFdB" +
    "RkxOUlNSMj5aYVpQYEpRUk//2wBDAQ4ODhMREyYVFSZPNS01T09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09P" +
    "T09PT09PT09PT09PT0//wAARCAAyAEYDASIAAhEBAxEB/8QAGgAAAwADAQAAAAAAAAAAAAAAAAMEAQIGBf/EABwQAAIDAQEB" +
    "AQAAAAAAAAAAAAADAQJhIRMxEf/EABkBAAMBAQEAAAAAAAAAAAAAAAQFBgMCB//EABoRAQEBAQEBAQAAAAAAAAAAAAMAIQIx" +
    "AQT/3QAEAAL/2gAMAwEAAhEDEQA/AOEWkpokctOFNE4VQJkLw1PVWG8KLKpw3hOHbJkeTX//0OZ8cMwku8cMwnAv9iTsGooS" +
    "NorCqE4NonBH0mzUmv/R8miufAL6J58AE5TK7+NeStJTRI5acKaJwpQTLybhr//Siqk3hJZVOG8JwfMmQJNReJmEl3jhmE4T" +
    "n7Emotf/01QkbRJVCcG0ThPdLs8JpFE8AvonnwDblMi/jZf/1MrVhTRODlpKaJCwTKN4anqrDeEllU4MhOHbLkwJr//V9bxM" +
    "wku8cMwkV/sWCFqKEjaJKoTg2ihH2mzUmv/W6aieAX0Vz4BKcpk0+Nl4iymkABWB5eXcX//X6qoyIADVvKRGz+GYgAJ39k2C" +
    "/9Ds6jaABDd+2ZT6RwAA158jPnl//9k=",
};

/** CRC-32 of the pixels that Pillow (libjpeg-turbo 3.1.4) reads from both, by scale. */
const PILLOW = { 1: 0x4781b426, 2: 0x95b2f4b1, 4: 0x2eda6377, 8: 0x8fd9a29e };

Deno.test("decodePicture() reads the pixels that Pillow reads, at any scale, and restart markers", async () => {
  for (const [name, base64] of Object.entries(RESTARTS)) {
    const jpeg = Uint8Array.fromBase64(base64);
    for (const [scale, expected] of Object.entries(PILLOW)) {
      // Of a progressive file, only the DC coefficients are read at 1/8; colours need some others.
      if (name === "progressive" && scale === "8") continue;
      const shortSide = Math.floor(50 / Number(scale));
      const { width, data } = await decodePicture(jpeg, { maxPixels: MAX_PIXELS, shortSide });
      assertEquals([width, crc32(data)], [Math.ceil(70 / Number(scale)), expected], `${name} at 1/${scale}`);
    }
    const tiny = await decodePicture(jpeg, { maxPixels: MAX_PIXELS, shortSide: 6 });
    const full = await decodePicture(jpeg, { maxPixels: MAX_PIXELS });
    // Few blocks have a colour of their own.
    assertLess(difference(tiny, blockMeans(full, 8)).mean, 16, name);
    const marker = jpeg.findIndex((byte, i) => byte === 0xff && jpeg[i + 1] === 0xd1);
    const swapped = jpeg.with(marker + 1, 0);
    await assertRejects(
      () => decodePicture(swapped, { maxPixels: MAX_PIXELS, shortSide: 6 }),
      InputError,
      "corrupt",
    );
  }
});

Deno.test("decodePicture() refuses JPEG bombs at reduced scale", async () => {
  const grey = await encodeJpeg(scene({ width: 64, height: 64 }), { color_space: 1, progressive: false });
  const limits = { maxPixels: MAX_PIXELS, shortSide: 300 };
  const withSize = (
    jpeg: Uint8Array<ArrayBuffer>,
    width: number,
    height: number,
  ): Uint8Array<ArrayBuffer> => {
    const changed = jpeg.slice();
    changed.set([height >> 8, height & 255, width >> 8, width & 255], frame(jpeg).at + 5);
    return changed;
  };
  const cases: [string, Uint8Array<ArrayBuffer>, PictureLimits, string][] = [
    ["64 million pixels", withSize(grey, 8001, 8000), limits, "64000000 pixels before scaling"],
    ["65535×65535", withSize(grey, 65535, 65535), limits, "64000000 pixels before scaling"],
    ["no data", withSize(grey, 8000, 7000), limits, "a scan has too few bytes"],
    [
      "over the budget",
      withSize(grey, 4000, 3000),
      { ...limits, budget: { pixels: 1_499_999 } },
      "1499999 are left",
    ],
    [
      "too much memory for coefficients",
      await encodeJpeg(scene({ width: 1000, height: 1000 }), { auto_subsample: false, chroma_subsample: 1 }),
      { maxPixels: 599_000, shortSide: 300 },
      "the coefficients of a file with several scans must take at most 5990000 bytes: current value is 6000000",
    ],
  ];
  for (const [name, bytes, limits, message] of cases) {
    const error = await assertRejects(() => decodePicture(bytes, limits), InputError, message, name);
    assertEquals(error.code, name === "no data" ? "invalid-format" : "too-large");
  }
});

Deno.test("decodePicture() takes an eighth of a reduced JPEG's stored pixels from the budget", async () => {
  const jpeg = await encodeJpeg(scene({ width: 800, height: 800 }));
  const budget = { pixels: 100_000 };
  await decodePicture(jpeg, { maxPixels: MAX_PIXELS, shortSide: 100, budget });
  assertEquals(budget.pixels, 20_000);
  await assertRejects(
    () => decodePicture(jpeg, { maxPixels: MAX_PIXELS, shortSide: 100, budget }),
    InputError,
  );
});

Deno.test("decodePicture() decodes or refuses changed JPEGs at reduced scale, and keeps no state of them", async () => {
  const picture = scene({ width: 140, height: 100 });
  const files = [
    await encodeJpeg(picture),
    await encodeJpeg(picture, { progressive: false }),
    await encodeJpeg(picture, { color_space: 1, progressive: false }),
  ];
  const limits = { maxPixels: MAX_PIXELS, shortSide: 10 };
  const wanted = await Promise.all(files.map((file) => decodePicture(file, limits)));
  const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 });
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(fc.nat(2), changes, fc.constantFrom(10, 20, 40), async (n, changes, shortSide) => {
      const bytes = files[n]!.slice();
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      try {
        const { width, height, channels, data } = await decodePicture(bytes, { ...limits, shortSide });
        assertEquals(data.length, width * height * channels);
      } catch (error) {
        refused++;
        assert(error instanceof InputError, String(error));
      }
    }),
    { numRuns: 3000 },
  );
  assertGreater(refused, 500);
  assertLess(refused, 3000);
  for (const [i, file] of files.entries()) assertEquals(await decodePicture(file, limits), wanted[i]);
});
