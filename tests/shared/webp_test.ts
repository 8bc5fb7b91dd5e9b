import { assert, assertEquals, assertGreater, assertRejects } from "@std/assert";
import fc from "fast-check";
import { memoryCeiling } from "../../shared/decode/arena.ts";
import { decodeRgba } from "../../shared/decode/libwebp.ts";
import { decodePicture } from "../../shared/decode/picture.ts";
import { InputError } from "../../shared/errors.ts";
import type { Size } from "../../shared/image.ts";
import { costlyWebp } from "../bench/costly_pictures.ts";
import { encodeWebp, type Rgba } from "../helpers/picture_encoders.js";

type File = Uint8Array<ArrayBuffer>;

/** Stripes, in which a lossless file refers back over many rows. */
function stripes({ width, height }: Size, transparent: boolean): Rgba {
  const data = new Uint8Array(4 * width * height).map((_, i) =>
    i % 4 === 3 && !transparent ? 255 : (i >> 5) * 37
  );
  return { width, height, data };
}

const SIZES: Size[] = [[1, 1], [1, 700], [700, 1], [3, 5000], [16, 16], [17, 33], [300, 200]]
  .map(([width, height]) => ({ width: width!, height: height! }));

interface Picture {
  size: Size;
  file: File;
}

async function pictures(): Promise<Picture[]> {
  const files: Picture[] = [];
  for (const size of SIZES) {
    for (const lossless of [false, true]) {
      for (const transparent of [false, true]) {
        const noise = { size, noise: 0.4, quality: 80, method: 2, lossless, transparent };
        files.push({ size, file: await costlyWebp(noise) });
        const options = { lossless: Number(lossless), quality: 60, exact: 1 };
        files.push({ size, file: await encodeWebp(stripes(size, transparent), options) });
      }
    }
  }
  return files;
}

/** Its pixels, or why there are none. */
async function outcome(bytes: File, size: Size, piece: number): Promise<Uint8Array | string> {
  try {
    return await decodeRgba(bytes, size, undefined, piece) ?? "corrupt";
  } catch (error) {
    assert(error instanceof InputError, String(error));
    return error.code;
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

Deno.test("decodeRgba() gives the same pixels in pieces of any size, also of damaged files", async () => {
  const all = await pictures();
  const damage = fc.option(
    fc.tuple(fc.double({ min: 0.1, max: 1, maxExcluded: true, noNaN: true }), fc.nat(255)),
    {
      freq: 3,
    },
  );
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.nat(all.length - 1),
      damage,
      fc.integer({ min: 1, max: 9000 }),
      async (n, damage, piece) => {
        const { size, file } = all[n]!, bytes = file.slice();
        if (damage) bytes[Math.floor(damage[0] * bytes.length)]! ^= damage[1];
        const whole = await outcome(bytes, size, 2 ** 30);
        if (typeof whole === "string") refused++;
        assertEquals(await outcome(bytes, size, piece), whole);
      },
    ),
    { numRuns: 1500 },
  );
  assertGreater(refused, 10);
  for (const { size, file } of all) {
    assertEquals((await decodeRgba(file, size))!.length, 4 * size.width * size.height);
  }
});

Deno.test("decodePicture() lets other events in while a WebP is decoded, every 32 Ki pixels", async () => {
  const size = { width: 1448, height: 1448 };
  for (const lossless of [false, true]) {
    const file = await costlyWebp({ size, noise: 0.2, quality: 80, lossless });
    let turns = 0;
    const limits = { maxPixels: 2_097_152, turn: () => (turns++, turn()) };
    const { data } = await decodePicture(file, limits);
    // Of 32 rows.
    assertEquals(turns, 46);
    // It is the same picture, and others may be decoded meanwhile.
    const small = await costlyWebp({ size: { width: 100, height: 100 }, noise: 0.2, quality: 80, lossless });
    const [again, little] = await Promise.all([decodePicture(file, limits), decodePicture(small, limits)]);
    assertEquals([again.data.length, little.data.length], [data.length, 40_000]);
    assert(again.data.every((value, i) => value === data[i]));
  }
});

Deno.test("decodePicture() reads a WebP of one row of the largest width, whose decoder needs more rows", async () => {
  for (const [width, height] of [[16_383, 1], [1, 16_383]] as const) {
    for (const lossless of [false, true]) {
      for (const transparent of [false, true]) {
        const file = await costlyWebp({
          size: { width, height },
          noise: 1,
          quality: 80,
          lossless,
          transparent,
        });
        assertEquals((await decodePicture(file, { maxPixels: 16_383 })).data.length, 4 * 16_383);
      }
    }
  }
});

Deno.test("decodePicture() refuses damaged WebPs while it lets other events in, and reads the next ones", async () => {
  const size = { width: 640, height: 480 };
  const files = await Promise.all(
    [false, true].map((lossless) =>
      costlyWebp({ size, noise: 0.1, quality: 80, lossless, transparent: true })
    ),
  );
  // So that it is decoded in pieces.
  assertGreater(memoryCeiling(files[0]!.length, 640 * 480), 3 * 1024 * 1024);
  const limits = { maxPixels: 640 * 480, turn };
  const expected = await Promise.all(files.map((file) => decodePicture(file, limits)));
  const damages = fc.array(fc.tuple(fc.nat(1), fc.nat(), fc.nat(255)), { minLength: 2, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(damages, async (damages) => {
      await Promise.all(damages.map(async ([n, at, value]) => {
        const bytes = files[n]!.slice();
        bytes[30 + at % (bytes.length - 30)]! ^= value;
        await decodePicture(bytes, limits).catch((error) =>
          assert(error instanceof InputError, String(error))
        );
      }));
    }),
    { numRuns: 15 },
  );
  assertEquals(await Promise.all(files.map((file) => decodePicture(file, limits))), expected);
});

/** A picture of 8×8 transparent pixels that begins with so many groups of five tables of one code (RFC 9649, section 6). */
function losslessWithTables(groups: number): File {
  const bits: number[] = [];
  const put = (...fields: [value: number, bits: number][]): void => {
    for (const [value, count] of fields) for (let i = 0; i < count; i++) bits.push(value >> i & 1);
  };
  const one = (): void => put([1, 1], [0, 3]);
  const symbol = (value: number): void => put([1, 1], [0, 1], [1, 1], [value, 8]);
  // Signature, sides, no transparency, version, no transform, no cache; groups for blocks of 4×4.
  put([0x2f, 8], [7, 14], [7, 14], [0, 1], [0, 3], [0, 1], [0, 1], [1, 1], [0, 3]);
  // The picture of the groups, all of which are the last one.
  put([0, 1]);
  symbol(groups - 1 & 255);
  symbol(groups - 1 >> 8);
  for (let i = 0; i < 3 + 5 * groups; i++) one();
  put(...new Array(40).fill([0, 8]));
  const data = new Uint8Array(2 * Math.ceil(bits.length / 16));
  bits.forEach((bit, i) => data[i >> 3]! |= bit << (i & 7));
  const file = new Uint8Array(20 + data.length), view = new DataView(file.buffer);
  file.set(new TextEncoder().encode("RIFF....WEBPVP8L"));
  view.setUint32(4, 12 + data.length, true);
  view.setUint32(16, data.length, true);
  file.set(data, 20);
  return file;
}

Deno.test("decodePicture() refuses a lossless WebP whose tables would take long in one piece", async () => {
  const { data } = await decodePicture(losslessWithTables(2000), { maxPixels: 64 });
  assertEquals(data, new Uint8Array(4 * 64));
  await assertRejects(
    () => decodePicture(losslessWithTables(65_536), { maxPixels: 64 }),
    InputError,
    "its data is corrupt",
  );
});
