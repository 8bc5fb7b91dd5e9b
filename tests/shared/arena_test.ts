import { assert, assertEquals, assertLess, assertRejects, assertStringIncludes } from "@std/assert";
import { Arena, type Decode, FIRST_PAGES, Program } from "../../shared/decode/arena.ts";
import { decodePicture } from "../../shared/decode/picture.ts";
import fc from "fast-check";
import { crc32 } from "node:zlib";
import { InputError } from "../../shared/errors.ts";
import { costlyJpeg, costlyWebp } from "../bench/costly_pictures.ts";

const PAGE = 65_536, MB = 1e6;

Deno.test("decodePicture() decodes every format in the same memories, which have what the largest picture needs", async () => {
  const size = { width: 800, height: 600 };
  const jpeg = { noise: 0.2, quality: 80, progressive: true, subsampling: 1 };
  const webp = { noise: 1, quality: 95, lossless: true, transparent: false, method: 0, smoothing: 0 };
  const pictures = await Promise.all([
    // Decoded at half its size.
    costlyJpeg({ size, ...jpeg }),
    costlyJpeg({ size: { width: 800, height: 500 }, ...jpeg }),
    costlyWebp({ size, ...webp }),
  ]);
  const arenas = await sharedArenas();
  const bytes = (): number => arenas.reduce((sum, { memory }) => sum + memory.buffer.byteLength, 0);
  const limits = { maxPixels: 480_000, shortSide: 256 };
  const decodeAll = async (): Promise<number[][]> =>
    await Promise.all(pictures.map(async (picture) => {
      const { width, height, data } = await decodePicture(picture, limits);
      return [width, height, crc32(data)];
    }));
  const first = await decodeAll();
  const before = bytes();
  // The file, and for each pixel its samples and a byte of libwebp's transforms.
  assertLess(before, pictures[2]!.length + 5 * limits.maxPixels + 4 * MB);
  for (let round = 0; round < 3; round++) assertEquals(await decodeAll(), first);
  assertEquals(bytes(), before);
});

const SMALL = 3 * 1024 * 1024, LARGE = 100 * PAGE * FIRST_PAGES;

/** The memories in which small pictures and large ones are decoded. */
async function sharedArenas(): Promise<Arena[]> {
  const program = new Program((arena) => arena);
  return await Promise.all([SMALL, LARGE].map(async (most) => (await run(program, most, (arena) => arena))!));
}

/** Runs a program in one piece, in a memory that is large by default. */
function run<T, R>(
  program: Program<T>,
  most: number,
  work: (instance: T, arena: Arena) => R | undefined,
): Promise<R | undefined> {
  // deno-lint-ignore require-yield -- as it says
  function* once(instance: T, arena: Arena): Generator<void, R | undefined> {
    return work(instance, arena);
  }
  return program.run("test", most, once);
}

/** What it finds at the start of its memory, and writes over it. */
function writer(): Program<{ found: number }> {
  return new Program(({ memory }) => {
    const bytes = new Uint8Array(memory.buffer);
    const found = bytes[PAGE]!;
    bytes[PAGE] = 7;
    return { found };
  });
}

for (const [name, most] of Object.entries({ small: SMALL, large: LARGE })) {
  Deno.test(`Program keeps its instance in the ${name} memory for the next picture, and starts in empty memory after another one or a failure`, async () => {
    const one = writer(), other = writer();
    const instanceOf = async (program: typeof one): Promise<{ found: number }> =>
      (await run(program, most, (instance) => instance))!;
    const first = await instanceOf(one);
    assert(await instanceOf(one) === first);
    assertEquals((await instanceOf(other)).found, 0);
    const again = await instanceOf(one);
    assert(again !== first);
    assertEquals(again.found, 0);
    const failed = await run(one, most, () => {
      throw new WebAssembly.RuntimeError("unreachable");
    });
    assertEquals(failed, undefined);
    assert(await instanceOf(one) !== again);
    assertEquals((await instanceOf(one)).found, 0);
  });
}

Deno.test("Program refuses memory above the ceiling, and says that the picture is too large", async () => {
  const most = (FIRST_PAGES + 2) * PAGE;
  let starts = 0;
  const program = new Program(() => ++starts);
  const grown = await run(
    program,
    most,
    (_, { imports: { grow, size } }) => [grow(1), size(), grow(2), size()],
  );
  assertEquals(grown, [FIRST_PAGES, FIRST_PAGES + 1, -1, FIRST_PAGES + 1]);
  assertEquals(starts, 1);
  // Once more in new memory, as what is free in the old one may be in pieces.
  const error = await assertRejects(
    () => run(program, most, (_, { imports: { grow } }) => grow(3) < 0 ? undefined : true),
    InputError,
  );
  assertEquals([error.code, starts], ["too-large", 2]);
  assertStringIncludes(
    error.message,
    `Cannot decode the test as it must take at most ${most} bytes of memory`,
  );
});

Deno.test("Program starts in empty memory up to the last page that another one has had", async () => {
  const isEmpty = ({ memory }: Arena): boolean => new Uint8Array(memory.buffer).every((byte) => byte === 0);
  const programs = [5, 60, 3, 40, 20].map((pages) => ({ pages, program: new Program(isEmpty) }));
  const most = 200 * PAGE;
  for (const fails of [false, true]) {
    for (const { pages, program } of programs) {
      const wasEmpty = await run(program, most, (wasEmpty, { imports: { grow, size }, memory }) => {
        assertEquals(size(), FIRST_PAGES);
        grow(pages);
        new Uint8Array(memory.buffer, 0, size() * PAGE).fill(7);
        if (fails) throw new WebAssembly.RuntimeError("unreachable");
        return wasEmpty;
      });
      assertEquals(wasEmpty, fails ? undefined : true);
    }
  }
  assertEquals(await run(new Program(isEmpty), most, (wasEmpty) => wasEmpty), true, "after a failure");
});

/** Notes the pieces of its work, of which there are three. */
function inPieces(name: string, notes: string[]): Decode<unknown, string> {
  return function* (): Generator<void, string> {
    for (const piece of [1, 2]) {
      notes.push(name + piece);
      yield;
    }
    notes.push(`${name}3`);
    return name;
  };
}

Deno.test("Program lets small pictures pass between the pieces of a large one, and large ones wait", async () => {
  const notes: string[] = [], one = new Program(() => 1), other = new Program(() => 2);
  const start = async (program: Program<unknown>, name: string, most: number): Promise<void> => {
    await program.run(
      "test",
      most,
      inPieces(name, notes),
      () => new Promise((resolve) => setTimeout(resolve, 0)),
    );
  };
  await Promise.all([
    start(one, "a", LARGE),
    start(other, "b", LARGE),
    start(one, "c", LARGE),
    start(other, "small", SMALL),
    start(one, "Small", SMALL),
  ]);
  const small = ["small1", "small2", "small3", "Small1", "Small2", "Small3"];
  assertEquals(notes.slice(0, 7), ["a1", ...small]);
  const large = notes.filter((note) => !small.includes(note));
  assertEquals(large.slice(0, 3), ["a1", "a2", "a3"]);
  assertEquals([large.slice(3, 6), large.slice(6)].sort(), [["b1", "b2", "b3"], ["c1", "c2", "c3"]]);
});

Deno.test("Program works in one piece where there are no turns", async () => {
  const notes: string[] = [], program = new Program(() => 1);
  const both = [
    program.run("test", LARGE, inPieces("a", notes)),
    program.run("test", LARGE, inPieces("b", notes)),
  ];
  assertEquals(notes, ["a1", "a2", "a3", "b1", "b2", "b3"]);
  assertEquals(await Promise.all(both), ["a", "b"]);
});

Deno.test("Arena gives the memory of a request that was dropped between two pieces to the next one, emptied", async () => {
  let now = 0;
  const arena = new Arena(() => now), notes: string[] = [];
  const one = writer(), other = writer();
  type Found = { found: number };
  function* instanceOf(instance: Found): Generator<void, Found> {
    yield;
    return instance;
  }
  const before = await arena.run(one, "test", LARGE, instanceOf);
  const turn = Promise.withResolvers<void>();
  const dropped = arena.run(one, "test", LARGE, inPieces("a", notes), () => turn.promise);
  const next = arena.run(one, "test", LARGE, instanceOf, async () => {});
  now = 9_999;
  await new Promise((resolve) => setTimeout(resolve, 10));
  assertEquals(notes, ["a1"]);
  now = 10_000;
  const after = await next;
  assert(after !== before);
  assertEquals(after!.found, 0);
  turn.resolve();
  // Its picture is in nobody's memory any more.
  await assertRejects(() => dropped, Error, "did not go on for 10000 ms");
  assertEquals(notes, ["a1"]);
  assertEquals((await arena.run(other, "test", LARGE, inPieces("b", notes)))!, "b");
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
