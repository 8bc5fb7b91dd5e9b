import { assert, assertEquals, assertLess, assertStringIncludes, assertThrows } from "@std/assert";
import { arena, FIRST_PAGES, memoryCeiling, Program, resizeHeap } from "../../shared/decode/arena.ts";
import { decodePicture } from "../../shared/decode/picture.ts";
import { buildProgram, PROGRAMS } from "../../shared/decode/programs/rewrite.ts";
import fc from "fast-check";
import { crc32 } from "node:zlib";
import { InputError } from "../../shared/errors.ts";
import { costlyJpeg, costlyWebp } from "../bench/costly_pictures.ts";

const PAGE = 65_536, MB = 1e6;

for (const name of Object.keys(PROGRAMS) as (keyof typeof PROGRAMS)[]) {
  Deno.test(`${name} is what deno task build:decoders makes of the package's program`, async () => {
    const kept = await Deno.readFile(new URL(`../../shared/decode/programs/${name}`, import.meta.url));
    assert(kept.toHex() === (await buildProgram(name)).toHex(), "run deno task build:decoders");
  });
}

Deno.test("decodePicture() decodes every format in one memory, which has what the largest picture needs", async () => {
  const size = { width: 800, height: 600 };
  const jpeg = { noise: 0.2, quality: 80, progressive: true, subsampling: 1 };
  const webp = { noise: 1, quality: 95, lossless: true, transparent: false, method: 0, smoothing: 0 };
  const pictures = await Promise.all([
    // Decoded at half its size.
    costlyJpeg({ size, ...jpeg }),
    costlyJpeg({ size: { width: 800, height: 500 }, ...jpeg }),
    costlyWebp({ size, ...webp }),
  ]);
  const limits = { maxPixels: 480_000, shortSide: 256 };
  const decodeAll = async (): Promise<number[][]> =>
    await Promise.all(pictures.map(async (picture) => {
      const { width, height, data } = await decodePicture(picture, limits);
      return [width, height, crc32(data)];
    }));
  const first = await decodeAll();
  const { byteLength } = arena.memory.buffer;
  // Two copies of the file, and for each pixel four bytes of the result and four of libwebp's own.
  assertLess(byteLength, 2 * pictures[2]!.length + 8 * limits.maxPixels + 2 * MB);
  for (let round = 0; round < 3; round++) assertEquals(await decodeAll(), first);
  assertEquals(arena.memory.buffer.byteLength, byteLength);
});

/** What it finds at the start of its memory, and writes over it. */
function writer(): Program<{ found: number }> {
  return new Program(() => {
    const bytes = new Uint8Array(arena.memory.buffer);
    const found = bytes[PAGE]!;
    bytes[PAGE] = 7;
    return { found };
  });
}

Deno.test("Program keeps its instance for the next picture, and starts in empty memory after another one or a failure", () => {
  const one = writer(), other = writer();
  const run = (program: typeof one): { found: number } =>
    program.run("test", memoryCeiling(0, 0), (instance) => instance)!;
  const first = run(one);
  assertEquals(run(one), first);
  assert(run(one) === first);
  assertEquals(run(other).found, 0);
  const again = run(one);
  assert(again !== first);
  assertEquals(again.found, 0);
  const failed = one.run("test", memoryCeiling(0, 0), () => {
    throw new WebAssembly.RuntimeError("unreachable");
  });
  assertEquals(failed, undefined);
  assert(run(one) !== again);
  assertEquals(run(one).found, 0);
});

Deno.test("Program refuses memory above the ceiling, and says that the picture is too large", () => {
  const most = (FIRST_PAGES + 2) * PAGE;
  let starts = 0;
  const program = new Program(() => ++starts);
  const grown: number[] = [];
  program.run("test", most, () => grown.push(arena.grow(1), arena.size(), arena.grow(2), arena.size()));
  assertEquals(grown, [FIRST_PAGES, FIRST_PAGES + 1, -1, FIRST_PAGES + 1]);
  assertEquals(program.run("test", most, () => resizeHeap(most)), true);
  assertEquals(starts, 1);
  // Once more in new memory, as what is free in the old one may be in pieces.
  const error = assertThrows(
    () => program.run("test", most, () => resizeHeap(most + 1) || undefined),
    InputError,
  );
  assertEquals([error.code, starts], ["too-large", 2]);
  assertStringIncludes(
    error.message,
    `Cannot decode the test as it must take at most ${most} bytes of memory`,
  );
});

Deno.test("Program starts in empty memory up to the last page that another one has had", () => {
  const sizes = [5, 60, 3, 40, 20],
    programs = sizes.map((pages) => ({
      pages,
      program: new Program(() => new Uint8Array(arena.memory.buffer).every((byte) => byte === 0)),
    }));
  for (const fails of [false, true]) {
    for (const { pages, program } of programs) {
      const isEmpty = program.run("test", 200 * PAGE, (isEmpty) => {
        assertEquals(arena.size(), FIRST_PAGES);
        arena.grow(pages);
        new Uint8Array(arena.memory.buffer, 0, arena.size() * PAGE).fill(7);
        if (fails) throw new WebAssembly.RuntimeError("unreachable");
        return isEmpty;
      });
      assertEquals(isEmpty, fails ? undefined : true);
    }
  }
  const last = new Program(() => new Uint8Array(arena.memory.buffer).every((byte) => byte === 0));
  assertEquals(last.run("test", 200 * PAGE, (isEmpty) => isEmpty), true, "after a failure");
});

Deno.test("decodePicture() gives the same pixels after any broken pictures", async () => {
  const size = { width: 160, height: 120 };
  const jpeg = { size, noise: 0.2, quality: 80, subsampling: 1 };
  const pictures = await Promise.all([
    costlyJpeg({ ...jpeg, progressive: true }),
    costlyJpeg({ ...jpeg, size: { width: 640, height: 480 }, progressive: false }),
    costlyWebp({ size, noise: 1, quality: 95, lossless: true, transparent: true, method: 0, smoothing: 0 }),
    costlyWebp({
      size,
      noise: 0.2,
      quality: 80,
      lossless: false,
      transparent: false,
      method: 0,
      smoothing: 0,
    }),
  ]);
  const limits = { maxPixels: 480_000, shortSide: 100 };
  const decode = async (picture: Uint8Array<ArrayBuffer>): Promise<number> =>
    crc32((await decodePicture(picture, limits)).data);
  const expected: number[] = [];
  for (const picture of pictures) expected.push(await decode(picture));
  const one = fc.record({
    n: fc.nat(pictures.length - 1),
    // Where a picture is damaged, as a share of its length.
    at: fc.option(fc.double({ min: 0.2, max: 0.99, noNaN: true }), { freq: 1 }),
    byte: fc.nat(255),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(one, { minLength: 2, maxLength: 6 }), async (sequence) => {
      for (const { n, at, byte } of sequence) {
        if (at === null) {
          assertEquals(await decode(pictures[n]!), expected[n]);
          continue;
        }
        const damaged = pictures[n]!.slice();
        damaged.fill(byte, Math.floor(at * damaged.length), Math.floor(at * damaged.length) + 20);
        await decode(damaged).catch((error) => assert(error instanceof InputError, String(error)));
      }
    }),
    { numRuns: 60 },
  );
});
