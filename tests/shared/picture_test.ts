import {
  assert,
  assertEquals,
  assertGreater,
  assertLess,
  assertLessOrEqual,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import fc from "fast-check";
import { InputError } from "../../shared/errors.ts";
import { readOrientation } from "../../shared/decode/orientation.ts";
import { decodePicture } from "../../shared/decode/picture.ts";
import type { Image } from "../../shared/image.ts";
import { encodeJpeg, encodeWebp, type Rgba } from "../helpers/picture_encoders.js";
import { encodePng } from "../helpers/png_encoder.ts";

const LIMITS = { maxPixels: 2 * 1024 * 1024 };

/** A smooth picture in which no two corners look alike. */
function gradient(width: number, height: number): Rgba {
  const data = new Uint8Array(4 * width * height);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i += 4) {
      data.set([255 * x / width, 255 * y / height, 128 * (x + y) / (width + height), 255], i);
    }
  }
  return { width, height, data };
}

/** The largest difference of a sample; without transparency if the image has none. */
function distance(image: Image, { width, height, data }: Rgba): number {
  const { channels } = image;
  assertEquals([image.width, image.height, image.data.length], [width, height, channels * width * height]);
  return image.data.reduce((most, value, i) => {
    const from = data[4 * Math.floor(i / channels) + i % channels]!;
    return Math.max(most, Math.abs(value - from));
  }, 0);
}

/** A JPEG's bytes with a segment after the signature. */
function withSegment(jpeg: Uint8Array, marker: number, content: number[]): Uint8Array<ArrayBuffer> {
  const length = content.length + 2;
  return Uint8Array.from([
    ...jpeg.subarray(0, 2),
    0xff,
    marker,
    length >> 8,
    length & 255,
    ...content,
    ...jpeg.subarray(2),
  ]);
}

/** EXIF that says how to turn a picture, in either order of bytes. */
function exif(orientation: number, little: boolean): number[] {
  const numbers = (bytes: number, value: number): number[] => {
    const big = Array.from({ length: bytes }, (_, i) => value >> 8 * (bytes - 1 - i) & 255);
    return little ? big.reverse() : big;
  };
  return [
    ...new TextEncoder().encode(little ? "Exif\0\0II" : "Exif\0\0MM"),
    ...numbers(2, 42),
    ...numbers(4, 8),
    // One entry: tag, type, how many, value.
    ...numbers(2, 1),
    ...[...numbers(2, 0x0112), ...numbers(2, 3), ...numbers(4, 1), ...numbers(2, orientation), 0, 0],
    ...numbers(4, 0),
  ];
}

Deno.test("decodePicture() reads JPEG, sequential and progressive, coloured and grey", async () => {
  const picture = gradient(45, 31);
  for (const options of [{}, { progressive: false }, { chroma_subsample: 1 }, { arithmetic: false }]) {
    const bytes = await encodeJpeg(picture, { quality: 95, ...options });
    assertLess(distance(await decodePicture(bytes, LIMITS), picture), 24);
  }
  const grey = await decodePicture(await encodeJpeg(picture, { quality: 95, color_space: 1 }), LIMITS);
  assertEquals(grey.channels, 1);
  for (let i = 0; i < grey.data.length; i++) {
    const [red, green, blue] = picture.data.subarray(4 * i);
    assertLess(Math.abs(grey.data[i]! - (0.299 * red! + 0.587 * green! + 0.114 * blue!)), 12);
  }
});

Deno.test("decodePicture() reads WebP, lossy and lossless, to the last bit if it is lossless", async () => {
  const picture = gradient(45, 31);
  for (let i = 3; i < picture.data.length; i += 4) picture.data[i] = i % 251;
  const lossless = await encodeWebp(picture, { lossless: 1, exact: 1 });
  assertEquals(distance(await decodePicture(lossless, LIMITS), picture), 0);
  const opaque = gradient(45, 31);
  const lossy = await encodeWebp(opaque, { quality: 95 });
  assertLess(distance(await decodePicture(lossy, LIMITS), opaque), 40);
});

Deno.test("decodePicture() turns a JPEG as its EXIF says", async () => {
  const { width, height, data } = gradient(24, 16);
  const stored = await encodeJpeg({ width, height, data }, { quality: 98, chroma_subsample: 1 });
  const upright = await decodePicture(stored, LIMITS);
  // Where the pixel at (x, y) of the right way up is stored, by CIPA DC-008, section 4.6.5.
  const places: ((x: number, y: number) => [number, number])[] = [
    (x, y) => [x, y],
    (x, y) => [width - 1 - x, y],
    (x, y) => [width - 1 - x, height - 1 - y],
    (x, y) => [x, height - 1 - y],
    (x, y) => [y, x],
    (x, y) => [y, height - 1 - x],
    (x, y) => [width - 1 - y, height - 1 - x],
    (x, y) => [width - 1 - y, x],
  ];
  for (const [i, place] of places.entries()) {
    for (const little of [true, false]) {
      const turned = await decodePicture(withSegment(stored, 0xe1, exif(i + 1, little)), LIMITS);
      assertEquals([turned.width, turned.height], i < 4 ? [width, height] : [height, width]);
      for (let y = 0; y < turned.height; y++) {
        for (let x = 0; x < turned.width; x++) {
          const [column, row] = place(x, y);
          const at = 3 * (y * turned.width + x), from = 3 * (row * width + column);
          assertEquals(
            turned.data.subarray(at, at + 3),
            upright.data.subarray(from, from + 3),
            `${i + 1} ${x} ${y}`,
          );
        }
      }
    }
  }
});

Deno.test("readOrientation() finds 1..8 or nothing, whatever it is given", () => {
  assertEquals(readOrientation(Uint8Array.from(exif(6, true))), 6);
  assertEquals(readOrientation(Uint8Array.from(exif(9, true))), undefined);
  assertEquals(readOrientation(Uint8Array.from(exif(0, false))), undefined);
  fc.assert(
    fc.property(fc.nat(), fc.nat(255), fc.nat(40), fc.boolean(), (at, value, cut, little) => {
      const bytes = Uint8Array.from(exif(3, little));
      bytes[at % bytes.length] = value;
      const orientation = readOrientation(bytes.subarray(0, bytes.length - cut));
      assert(orientation === undefined || (orientation >= 1 && orientation <= 8));
    }),
  );
});

Deno.test("decodePicture() reads a JPEG with what phones put into and behind it", async () => {
  const picture = gradient(32, 32);
  const jpeg = await encodeJpeg(picture);
  const wanted = await decodePicture(jpeg, LIMITS);
  const video = new Uint8Array(5000).fill(0xff);
  const padded = withSegment(withSegment(jpeg, 0xfe, [1, 2, 3]), 0xe2, Array(3000).fill(0xff));
  assertEquals(
    await decodePicture(new Uint8Array(await new Blob([padded, video]).arrayBuffer()), LIMITS),
    wanted,
  );
});

/** The bytes with 16 bits at some places of a JPEG's frame header replaced. */
function withSize(jpeg: Uint8Array<ArrayBuffer>, width: number, height: number): Uint8Array<ArrayBuffer> {
  const changed = jpeg.slice();
  const frame = changed.findIndex((byte, i) => byte === 0xff && (changed[i + 1]! & 0xfc) === 0xc0);
  changed.set([height >> 8, height & 255, width >> 8, width & 255], frame + 5);
  return changed;
}

Deno.test("decodePicture() refuses too many pixels before it allocates", async () => {
  const jpeg = await encodeJpeg(gradient(16, 16));
  const webp = await encodeWebp(gradient(16, 16));
  const lossless = await encodeWebp(gradient(16, 16), { lossless: 1 });
  const change = (bytes: Uint8Array<ArrayBuffer>, at: number, ...to: number[]): Uint8Array<ArrayBuffer> => {
    const changed = bytes.slice();
    changed.set(to, at);
    return changed;
  };
  const cases: [Uint8Array<ArrayBuffer>, string][] = [
    [withSize(jpeg, 65535, 65535), "65535x65535"],
    [withSize(jpeg, 65535, 33), "65535x33"],
    [change(webp, 26, 0xff, 0x3f, 0xff, 0x3f), "16383x16383"],
    [change(lossless, 21, 0xff, 0xff, 0xff, 0x0f), "16384x16384"],
  ];
  for (const [bytes, size] of cases) {
    const error = await assertRejects(() => decodePicture(bytes, LIMITS), InputError);
    assertStringIncludes(error.message, `at most 2097152 pixels: current size is ${size}`);
  }
});

Deno.test("decodePicture() takes what pictures cost from their budget, broken ones too", async () => {
  const jpeg = await encodeJpeg(gradient(20, 20));
  const broken = jpeg.slice();
  broken.fill(0, broken.length - 60, broken.length - 20);
  const budget = { pixels: 1000 };
  await decodePicture(jpeg, { ...LIMITS, budget });
  assertEquals(budget.pixels, 600);
  await decodePicture(broken, { ...LIMITS, budget }).catch(() => {});
  assertEquals(budget.pixels, 200);
  await assertRejects(
    () => decodePicture(jpeg, { ...LIMITS, budget }),
    InputError,
    "and 200 are left",
  );
});

/** A RIFF file of these chunks. */
function webpFile(...chunks: [type: string, data: Uint8Array][]): Uint8Array<ArrayBuffer> {
  const uint32 = (value: number): number[] => [0, 8, 16, 24].map((shift) => value >>> shift & 255);
  const parts = chunks.flatMap(([type, data]) => [
    ...new TextEncoder().encode(type),
    ...uint32(data.length),
    ...data,
    ...data.length % 2 === 1 ? [0] : [],
  ]);
  const text = (value: string): Uint8Array => new TextEncoder().encode(value);
  return Uint8Array.from([...text("RIFF"), ...uint32(parts.length + 4), ...text("WEBP"), ...parts]);
}

/** A lossless picture of 1448×1448 that says at once that it has 65,536 sets of Huffman codes. */
function manyCodes(): Uint8Array {
  let bits = "";
  const put = (value: number, count: number): void => {
    for (let i = 0; i < count; i++) bits += value >> i & 1;
  };
  put(0x2f, 8);
  put(1447, 14);
  put(1447, 14);
  // No alpha, version 0, no transform, no colour cache; sets of codes for blocks of 4×4, without a cache.
  for (const [value, count] of [[0, 1], [0, 3], [0, 1], [0, 1], [1, 1], [0, 3], [0, 1]]) put(value!, count!);
  // Each of the five codes has one symbol: together they are set 65,535.
  for (const symbol of [255, 255, 0, 0, 0]) {
    for (const [value, count] of [[1, 1], [0, 1], [1, 1], [symbol, 8]]) put(value!, count!);
  }
  return Uint8Array.from(bits.match(/.{1,8}/g)!, (byte) => parseInt([...byte].reverse().join(""), 2));
}

Deno.test("decodePicture() refuses bombs", async () => {
  const large = gradient(1448, 1448);
  const jpeg = await encodeJpeg(large, { progressive: true });
  const start = jpeg.findIndex((byte, i) => byte === 0xff && jpeg[i + 1] === 0xda);
  // The first scan of a progressive file, and what stands before it.
  const second = jpeg.findIndex((byte, i) => i > start && byte === 0xff && jpeg[i + 1] === 0xc4);
  const scan = jpeg.subarray(start, second);
  const tiny = jpeg.subarray(start, start + 14);
  const join = async (...parts: Uint8Array[]): Promise<Uint8Array<ArrayBuffer>> =>
    new Uint8Array(await new Blob(parts as Uint8Array<ArrayBuffer>[]).arrayBuffer());
  const end = Uint8Array.of(0xff, 0xd9);
  const head = jpeg.subarray(0, start);
  const lossless = manyCodes();
  const chunk = webpFile(["ABCD", new Uint8Array()]).subarray(12);
  const bombs: [string, Uint8Array<ArrayBuffer>, string][] = [
    ["10,000 scans of few bytes", await join(head, ...Array(10_000).fill(tiny), end), "too few bytes"],
    ["100 scans", await join(head, ...Array(100).fill(scan), end), "in more than 5 scans"],
    [
      "a million segments",
      await join(
        Uint8Array.of(0xff, 0xd8),
        new Uint8Array(4_000_000).map((_, i) => [0xff, 0xfe, 0, 2][i % 4]!),
      ),
      "more than 4096 segments",
    ],
    ["a large frame without data", await join(head, end), "it has no picture"],
    ["a truncated large JPEG", jpeg.slice(0, jpeg.length >> 1), "it is truncated"],
    ["65,536 sets of codes", webpFile(["VP8L", lossless]), "its data is corrupt"],
    [
      "65,536 sets of codes with noise for them",
      webpFile(["VP8L", await join(lossless, new Uint8Array(1e6).map((_, i) => i * 7 + (i >> 8)))]),
      "its data is corrupt",
    ],
    [
      "half a million chunks",
      new Uint8Array([
        ...webpFile().subarray(0, 4),
        ...[0x04, 0x09, 0x3d, 0],
        ...webpFile().subarray(8),
        ...Array(500_000).fill([...chunk]).flat(),
      ]),
      "more than 64 chunks",
    ],
    ["an animation", webpFile(["ANIM", new Uint8Array(6)]), "it is an animation"],
    [
      "a canvas of 16 Mi × 16 Mi",
      webpFile(["VP8X", new Uint8Array(10).fill(255, 4)], ["VP8L", Uint8Array.of(0x2f, 0, 0, 0, 0)]),
      "current sizes are 16777216x16777216 and 1x1",
    ],
  ];
  for (const [name, bytes, message] of bombs) {
    const memory = Deno.memoryUsage().rss, time = performance.now();
    await assertRejects(() => decodePicture(bytes, LIMITS), InputError, message);
    const ms = (performance.now() - time).toFixed(1), mb = (Deno.memoryUsage().rss - memory) / 1e6;
    // deno-lint-ignore no-console -- the figures are for information; times are not asserted
    console.log(`    ${name}: ${bytes.length} bytes, refused in ${ms} ms and ${mb.toFixed(0)} MB`);
  }
});

Deno.test("decodePicture() names formats that it does not read", async () => {
  const box = (brand: string): string => `\0\0\0\x20ftyp${brand}\0\0\0\0`;
  const cases: [string, string][] = [
    ["GIF89a\x01\0\x01\0", "GIF"],
    ["BM\x46\0\0\0\0\0\0\0\x36\0\0\0", "BMP"],
    ["II*\0\x08\0\0\0", "TIFF"],
    ["MM\0*\0\0\0\x08", "TIFF"],
    [box("avif"), "AVIF"],
    [box("avis"), "AVIF"],
    [box("heic"), "HEIC"],
    [box("mif1"), "HEIC"],
    ["\xff\x0a\0\0", "JPEG XL"],
    ['<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"],
    ['\xef\xbb\xbf<?xml version="1.0"?><svg/>', "SVG"],
  ];
  for (const [text, name] of cases) {
    const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
    for (const mediaType of ["image/png", undefined]) {
      const error = await assertRejects(
        () => decodePicture(bytes, LIMITS, mediaType),
        InputError,
        `its format must be PNG, JPEG or WebP: current format is ${name}`,
      );
      assertEquals(error.code, "unsupported");
    }
  }
});

Deno.test("decodePicture() names what is broken", async () => {
  const jpeg = await encodeJpeg(gradient(16, 16), { progressive: false });
  const marker = (wanted: number): number =>
    jpeg.findIndex((byte, i) => byte === 0xff && (jpeg[i + 1]! & 0xff) === wanted);
  const change = (at: number, ...bytes: number[]): Uint8Array<ArrayBuffer> => {
    const changed = jpeg.slice();
    changed.set(bytes, at);
    return changed;
  };
  const cases: [Uint8Array<ArrayBuffer>, string][] = [
    [new Uint8Array(), "must be a PNG, JPEG or WebP file"],
    [jpeg.slice(0, 2), "it is truncated"],
    [jpeg.slice(0, -1), "it is truncated"],
    [change(2, 0), "there must be a marker at byte 2"],
    [change(marker(0xc0), 0xff, 0xc9), "only sequential and progressive Huffman coding"],
    [change(marker(0xc0) + 4, 12), "samples must have 8 bits: current number is 12"],
    [change(marker(0xc0) + 5, 0, 0), "its sides must be in 1..65500: current size is 16x0"],
    [withSize(jpeg, 65501, 1), "its sides must be in 1..65500: current size is 65501x1"],
    [change(marker(0xc0) + 11, 0), "its sampling factors or table numbers"],
    [change(marker(0xc4) + 5, 255), "a Huffman table is invalid"],
    [change(marker(0xdb) + 4, 0x0f), "a quantisation table is invalid"],
    [change(marker(0xda) + 6, 0x33), "a scan uses a missing table"],
    [change(marker(0xda) + 4, 2), "a scan header has a wrong length"],
    [withSegment(jpeg, 0xdc, [0, 1]), "marker 0xdc is not supported"],
  ];
  for (const [bytes, message] of cases) {
    await assertRejects(() => decodePicture(bytes, LIMITS), InputError, message);
  }
  const webp = await encodeWebp(gradient(16, 16));
  const image = webp.subarray(20);
  const others: [Uint8Array<ArrayBuffer>, string][] = [
    [webp.slice(0, -2), "it is truncated"],
    [webpFile(), "it has no picture"],
    [webpFile(["VP8 ", image], ["VP8 ", image]), "more than one picture"],
    [webpFile(["VP8 ", Uint8Array.of(0, 0, 0, 0x9d, 1, 0x2a, 0, 0, 0, 0)]), "its sides must be in 1..16383"],
    [webpFile(["VP8 ", new Uint8Array(20).fill(1)]), "a key frame"],
    [webpFile(["VP8L", new Uint8Array(20)]), "its signature"],
    [webpFile(["VP8 ", image], ["VP8X", new Uint8Array(10)]), "must come first"],
    [webpFile(["VP8X", new Uint8Array(10)], ["VP8 ", image]), "current sizes are 1x1 and 16x16"],
    [webpFile(["VP8X", Uint8Array.of(2, 0, 0, 0, 15, 0, 0, 15, 0, 0)], ["VP8 ", image]), "an animation"],
  ];
  for (const [bytes, message] of others) {
    await assertRejects(() => decodePicture(bytes, LIMITS), InputError, message);
  }
});

Deno.test("decodePicture() reads or refuses whatever it is given, and forgets it", async () => {
  const picture = gradient(33, 27);
  const files = [
    await encodeJpeg(picture),
    await encodeJpeg(picture, { progressive: false }),
    await encodeJpeg(picture, { color_space: 1 }),
    await encodeWebp(picture),
    await encodeWebp(picture, { lossless: 1 }),
    encodePng({
      width: 9,
      height: 9,
      depth: 8,
      colour: 2,
      interlaced: true,
      filters: [4],
      sample: (x, y) => x * y,
    }),
  ];
  const wanted = await Promise.all(files.map((file) => decodePicture(file, LIMITS)));
  const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 });
  const memory = Deno.memoryUsage().rss;
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(fc.nat(files.length - 1), changes, fc.nat(300), async (n, changes, cut) => {
      const bytes = files[n]!.slice(0, cut < 30 ? -cut - 1 : undefined);
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      try {
        const { width, height, channels, data } = await decodePicture(bytes, LIMITS);
        assertEquals(data.length, width * height * channels);
      } catch (error) {
        refused++;
        assert(error instanceof InputError, String(error));
        assert(/^Cannot decode the (JPEG|WebP|PNG|image) as /.test(error.message), error.message);
      }
    }),
    { numRuns: 3000 },
  );
  assertGreater(refused, 500);
  for (const [i, file] of files.entries()) assertEquals(await decodePicture(file, LIMITS), wanted[i]);
  const mb = (Deno.memoryUsage().rss - memory) / 1e6;
  // deno-lint-ignore no-console -- see above
  console.log(`    3000 mutated pictures, ${refused} refused, ${mb.toFixed(0)} MB more than before`);
  assertLessOrEqual(refused, 3000);
});
