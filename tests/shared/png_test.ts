import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { decode, encode } from "fast-png";
import { constants, deflateRawSync, deflateSync } from "node:zlib";
import { decodePng } from "../../shared/decode/png.ts";
import { encodePng, headerOf, pngFile, type PngSource, SAMPLES, scanlines } from "../helpers/png_encoder.ts";
import { InputError } from "../../shared/errors.ts";

const LIMITS = { maxPixels: 10_000 };
const KINDS = [
  [0, 1],
  [0, 2],
  [0, 4],
  [0, 8],
  [0, 16],
  [2, 8],
  [2, 16],
  [3, 1],
  [3, 2],
  [3, 4],
  [3, 8],
  [4, 8],
  [
    4,
    16,
  ],
  [6, 8],
  [6, 16],
] as const;

/** Pictures of every kind, filter and interlacing, with and without transparency. */
const pictures: fc.Arbitrary<PngSource> = fc.record({
  kind: fc.constantFrom(...KINDS),
  width: fc.integer({ min: 1, max: 20 }),
  height: fc.integer({ min: 1, max: 20 }),
  interlaced: fc.boolean(),
  filters: fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 6 }),
  noise: fc.uint8Array({ minLength: 64, maxLength: 64 }),
  transparent: fc.boolean(),
}).map(({ kind: [colour, depth], noise, transparent, ...rest }) => {
  const max = 2 ** depth - 1;
  const sample = (x: number, y: number, channel: number): number =>
    (noise[(7 * x + 13 * y + channel) % 64]! * 257 + x) & max;
  const source: PngSource = { ...rest, colour, depth, sample };
  if (colour === 3) {
    source.palette = Uint8Array.from({ length: 3 * 2 ** depth }, (_, i) => noise[i % 64]! ^ i);
  }
  if (transparent && colour === 3) source.transparency = noise.slice(0, 2 ** depth);
  if (transparent && (colour === 0 || colour === 2)) {
    // The colour of the first pixel, so that at least that one is transparent.
    const key = Array.from({ length: SAMPLES[colour]! }, (_, i) => sample(0, 0, i));
    source.transparency = Uint8Array.from(key.flatMap((value) => [value >> 8, value & 255]));
  }
  return source;
});

/** Red, green, blue and alpha of a pixel, straight from the source. */
function expectedPixel(source: PngSource, x: number, y: number): number[] {
  const { colour, depth, palette, transparency } = source;
  const raw = Array.from({ length: SAMPLES[colour]! }, (_, i) => source.sample(x, y, i));
  const [a, b, c, d] = raw.map((value) => Math.round(value / (2 ** depth - 1) * 255));
  if (colour === 3) {
    const [index] = raw;
    return [...palette!.slice(3 * index!, 3 * index! + 3), transparency?.[index!] ?? 255];
  }
  const key = transparency &&
    raw.every((value, i) => value === transparency[2 * i]! * 256 + transparency[2 * i + 1]!);
  if (colour === 0) return [a!, a!, a!, key ? 0 : 255];
  if (colour === 2) return [a!, b!, c!, key ? 0 : 255];
  return colour === 4 ? [a!, a!, a!, b!] : [a!, b!, c!, d!];
}

Deno.test("decodePng() reads every colour type, depth, filter and interlacing", async () => {
  await fc.assert(
    fc.asyncProperty(pictures, async (source) => {
      const { width, height, channels, data } = await decodePng(encodePng(source), LIMITS);
      assertEquals([width, height], [source.width, source.height]);
      for (let y = 0, i = 0; y < height; y++) {
        for (let x = 0; x < width; x++, i += channels) {
          const [r, g, b, alpha] = expectedPixel(source, x, y);
          assertEquals([...data.subarray(i, i + channels)], channels === 1 ? [r!] : [r!, g!, b!, alpha!]);
        }
      }
    }),
    { numRuns: 300 },
  );
});

Deno.test("decodePng() agrees with fast-png", async () => {
  for (const [channels, colour] of [[1, 0], [3, 2], [4, 6]] as const) {
    const data = Uint8Array.from({ length: 31 * 17 * channels }, (_, i) => i * i);
    const theirs = encode({ width: 31, height: 17, channels, depth: 8, data });
    const image = await decodePng(new Uint8Array(theirs), LIMITS);
    const wanted = channels === 3
      ? Array.from({ length: 31 * 17 }, (_, i) => [...data.subarray(3 * i, 3 * i + 3), 255]).flat()
      : [...data];
    assertEquals([...image.data], wanted);
    // And the other way, which holds the tests' own encoder to it.
    const ours = encodePng({
      width: 31,
      height: 17,
      depth: 8,
      colour,
      interlaced: true,
      filters: [0, 1, 2, 3, 4],
      sample: (x, y, i) => data[(y * 31 + x) * channels + i]!,
    });
    assertEquals([...decode(ours).data], [...data]);
  }
});

Deno.test("decodePng() reads data that is cut into many IDAT chunks", async () => {
  const data = deflateSync(Uint8Array.of(0, 10, 20, 0, 30, 40));
  const image = await decodePng(
    pngFile(
      ["IHDR", headerOf({ width: 2, height: 2, depth: 8, colour: 0, interlaced: false })],
      ["tEXt", new Uint8Array(9)],
      ...[...data].map((byte) => ["IDAT", Uint8Array.of(byte)] as const),
      ["IDAT", new Uint8Array()],
      ["IEND", new Uint8Array()],
    ),
    LIMITS,
  );
  assertEquals([...image.data], [10, 20, 30, 40]);
});

/** The file's bytes, of a legal picture of 28×28 pixels with one thing changed. */
function broken(
  { header = {}, data, extra = [] }: {
    header?: Partial<PngSource>;
    data?: Uint8Array;
    extra?: (readonly [string, Uint8Array])[];
  },
): Uint8Array<ArrayBuffer> {
  const source = {
    width: 28,
    height: 28,
    depth: 8,
    colour: 0,
    interlaced: false,
    filters: [0],
    sample: () => 7,
  };
  return pngFile(
    ["IHDR", headerOf({ ...source, ...header })],
    ...extra,
    ["IDAT", data ?? deflateSync(scanlines(source))],
    ["IEND", new Uint8Array()],
  );
}

Deno.test("decodePng() refuses a bomb without inflating it", async () => {
  // Blocks that end on a whole byte can be repeated: 1 MB of zeros each, 4 GB in all. Inflating it would
  // exhaust the memory of most machines, so that this test passes at all shows that it is not done.
  const block = deflateRawSync(new Uint8Array(1 << 20), { finishFlush: constants.Z_FULL_FLUSH, level: 9 });
  const data = new Uint8Array(2 + 4096 * block.length);
  data.set([0x78, 0xda]);
  for (let i = 0; i < 4096; i++) data.set(block, 2 + i * block.length);
  await assertRejects(
    () => decodePng(broken({ data }), LIMITS),
    InputError,
    "Cannot decode the PNG as its data does not end after 812 bytes",
  );
});

Deno.test("decodePng() refuses too many pixels before it allocates", async () => {
  for (const [width, height] of [[101, 100], [2 ** 31 - 1, 2 ** 31 - 1], [10_001, 1], [1, 10_001]] as const) {
    await assertRejects(
      () => decodePng(broken({ header: { width, height } }), LIMITS),
      InputError,
      `at most 10000 pixels: current size is ${width}x${height}`,
    );
  }
});

Deno.test("decodePng() names what is broken", async () => {
  const stored = scanlines({
    width: 28,
    height: 28,
    depth: 8,
    colour: 0,
    interlaced: false,
    filters: [0],
    sample: () => 7,
  });
  const badFilter = stored.slice();
  badFilter[29] = 5;
  const cases: [Uint8Array<ArrayBuffer>, string][] = [
    [new Uint8Array(), "PNG signature"],
    [new TextEncoder().encode("GIF89a"), "PNG signature"],
    [broken({}).slice(0, -1), "truncated"],
    [broken({}).slice(0, 60), "extends past the end of the file"],
    [broken({}).slice(0, 8), "truncated"],
    [pngFile(["IDAT", new Uint8Array()], ["IEND", new Uint8Array()]), "its one IHDR chunk must come first"],
    [broken({ extra: [["IHDR", new Uint8Array(13)]] }), "its one IHDR chunk must come first"],
    [pngFile(["IHDR", new Uint8Array(12)], ["IEND", new Uint8Array()]), "current length is 12"],
    [broken({ header: { width: 0 } }), "current size is 0x28"],
    [broken({ header: { height: 2 ** 32 - 1 } }), "current size is 28x4294967295"],
    [broken({ header: { depth: 3 } }), "colour type 0 with bit depth 3 does not exist"],
    [broken({ header: { colour: 5 } }), "colour type 5 with bit depth 8 does not exist"],
    [broken({ header: { colour: 3 } }), "its palette must have 1..256 colours"],
    [
      broken({ extra: [["tRNS", new Uint8Array(6)]] }),
      "its tRNS chunk must have 2 bytes: current length is 6",
    ],
    [broken({ extra: [["ABCD", new Uint8Array()]] }), 'critical chunk "ABCD" is unknown'],
    [
      broken({ extra: Array.from({ length: 5000 }, () => ["tEXt", new Uint8Array()] as const) }),
      "more than 4096 chunks",
    ],
    [broken({ data: new Uint8Array(20) }), "its data cannot be inflated"],
    [broken({ data: new Uint8Array() }), "Cannot decode the PNG as its data"],
    [
      broken({ data: deflateSync(stored.slice(0, -1)) }),
      "its data must have 812 bytes: current length is 811",
    ],
    [broken({ data: deflateSync(new Uint8Array(813)) }), "its data does not end after 812 bytes"],
    [broken({ data: deflateSync(badFilter) }), "filter types are in 0..4: current value is 5"],
  ];
  for (const [bytes, message] of cases) {
    await assertRejects(() => decodePng(bytes, LIMITS), InputError, message);
  }
});

Deno.test("decodePng() reads or refuses whatever it is given", async () => {
  const changes = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(pictures, changes, fc.nat(200), async (source, changes, cut) => {
      const bytes = encodePng(source);
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      const mutated = cut < 20 ? bytes.slice(0, bytes.length - cut) : bytes;
      try {
        const { width, height, channels, data } = await decodePng(mutated, LIMITS);
        assertEquals(data.length, width * height * channels);
      } catch (error) {
        assert(error instanceof InputError, String(error));
        assert(error.message.startsWith("Cannot decode the PNG as "), error.message);
      }
    }),
    { numRuns: 1000 },
  );
});
