/**
 * `deno task bench costly`: searches the picture of each format, within the default limits, that takes longest to
 * decode, and compares what these and usual ones take with the estimates. The same seed tries the same pictures, as long as they
 * are equally fast.
 *
 * @module
 */
import fc from "fast-check";
import { readConfig } from "../../serve/config.ts";
import { pictureLimits, pictureReader } from "../../serve/decode/picture.ts";
import { NANOS, pictureMicros, type PictureWork, pictureWork } from "../../shared/decode/cost.ts";
import { shortSideFor } from "../../shared/decode/limits.ts";
import type { Size } from "../../shared/image.ts";
import { print } from "../../train/cli/command.ts";
import { jpegOfScans, type ScansRecipe } from "./costly_jpeg.ts";
import {
  COSTLIEST,
  costlyJpeg,
  costlyPng,
  costlyWebp,
  type JpegRecipe,
  type WebpRecipe,
} from "./costly_pictures.ts";
import type { PngRecipe } from "./costly_png.ts";
import { type Parameters, searchCostliest } from "./costly_search.ts";
import { USUAL_PICTURES } from "./usual_pictures.ts";

const SEED = 15;
/** How long each format is searched, in ms. */
const RANDOM_MS = 10_000, CLIMB_MS = 20_000;
/** The median of so many runs counts, as other programs interrupt some; V8 compiles decoders again during the first. */
const RUNS = 3, USUAL_RUNS = 11;

/** Pictures that take less do not delay others, whatever their estimate is. */
const SHORT_MS = 50;

const LIMITS = readConfig({});
/** Of the shipped model. */
const INPUT = { channels: 1, height: 28, width: 28 };

type File = Uint8Array<ArrayBuffer>;

/** Pictures of most of the pixels that the limits allow: square, or up to lines of one pixel. */
function sizes(longest: number, pixels: number[]): fc.Arbitrary<Size> {
  const shapes = fc.oneof(
    fc.integer({ min: 0, max: Math.floor(Math.log2(longest)) }).map((bits) => 2 ** bits),
    fc.constant("square" as const),
    // Short sides at which a JPEG is just not reduced.
    fc.constant(511),
  );
  return fc.tuple(shapes, fc.constantFrom(...pixels)).map(([shape, most]) => {
    const width = shape === "square" ? Math.floor(Math.sqrt(most)) : shape;
    return { width, height: Math.min(longest, Math.floor(most / width)) };
  });
}

const SHARE = fc.integer({ min: 0, max: 20 }).map((step) => step / 20);

/** PNG's colour types and their depths. */
const PIXEL_FORMATS = [[0, 1], [0, 8], [0, 16], [2, 8], [2, 16], [3, 1], [3, 8], [4, 8], [4, 16], [6, 8], [
  6,
  16,
]] as const;

const PNGS: Parameters<PngRecipe> = {
  size: sizes(LIMITS.maxPixels, [LIMITS.maxPixels]),
  format: fc.constantFrom(...PIXEL_FORMATS),
  filter: fc.integer({ min: 0, max: 4 }),
  noise: SHARE,
  interlaced: fc.boolean(),
  keyed: fc.boolean(),
  tables: fc.constantFrom(0, 0, 0, 1e6, 2e6, 4e6, 6e6, 8e6),
};

/** Reduced JPEGs may have more pixels. */
const JPEG_SIZES = sizes(65_500, [LIMITS.maxPixels, 4 * LIMITS.maxPixels, 16 * LIMITS.maxPixels, 64e6]);
const QUALITY = fc.constantFrom(5, 50, 75, 85, 95, 100);

const JPEGS: Parameters<JpegRecipe> = {
  // Encoding larger ones would take most of the time.
  size: sizes(65_500, [LIMITS.maxPixels]),
  noise: SHARE,
  quality: QUALITY,
  progressive: fc.boolean(),
  subsampling: fc.constantFrom(1, 2),
};

const SCANS: Parameters<ScansRecipe> = {
  size: JPEG_SIZES,
  components: fc.constantFrom(1, 3),
  sampling: fc.constantFrom([1, 1], [2, 1], [2, 2], [1, 4]),
  progressive: fc.boolean(),
  coefficients: fc.constantFrom(0, 1, 5, 10, 20, 40, 63),
  scans: fc.integer({ min: 2, max: 16 }),
  refined: fc.constantFrom("dc", "ac"),
  interval: fc.constantFrom(0, 0, 1, 16),
};

const WEBPS: Parameters<WebpRecipe> = {
  size: sizes(16_383, [LIMITS.maxPixels]),
  noise: SHARE,
  quality: QUALITY,
  lossless: fc.boolean(),
  transparent: fc.boolean(),
  method: fc.constantFrom(0, 0, 2, 4),
  smoothing: fc.constantFrom(0, 60, 100),
};

export async function benchCostly(signal: AbortSignal): Promise<void> {
  await printUsual(signal);
  print(
    `\nThe costliest pictures within the limits, ${
      (RANDOM_MS + CLIMB_MS) / 1000
    } s for each kind, seed ${SEED}`,
  );
  const measured = [
    ...await search("PNG", PNGS, COSTLIEST.png, costlyPng, signal),
    ...await search("JPEG of MozJPEG", JPEGS, COSTLIEST.mozjpeg, costlyJpeg, signal),
    ...await search("JPEG of many scans", SCANS, COSTLIEST.jpeg, jpegOfScans, signal),
    ...await search("WebP", WEBPS, COSTLIEST.webp, costlyWebp, signal),
  ];
  print(`\n  Time / estimate of pictures that take more than ${SHORT_MS} ms`);
  for (const kind of Object.keys(NANOS)) {
    const ratios = measured.filter((picture) => picture.kind === kind && picture.ms > SHORT_MS)
      .map(({ ms, estimatedMs }) => ms / estimatedMs).sort((a, b) => a - b);
    if (ratios.length === 0) continue;
    const [lowest, median, highest] = [0, ratios.length >> 1, ratios.length - 1].map((i) =>
      ratios[i]!.toFixed(2)
    );
    print(
      `    ${kind.padEnd(24)}${String(ratios.length).padStart(4)}  ${lowest} to ${highest}, median ${median}`,
    );
  }
}

async function printUsual(signal: AbortSignal): Promise<void> {
  print(`\n  ${"Usual pictures".padEnd(40)}     MB      ms  estimate  time / estimate`);
  for (const [name, make] of Object.entries(USUAL_PICTURES)) {
    signal.throwIfAborted();
    const file = await make(), { ms } = await decodeMs(file, USUAL_RUNS);
    const estimatedMs = pictureMicros(file, limits()) / 1000;
    print(
      `  ${name.padEnd(40)}${(file.length / 1e6).toFixed(2).padStart(7)}${ms.toFixed(0).padStart(8)}` +
        `${estimatedMs.toFixed(0).padStart(10)}${(ms / estimatedMs).toFixed(2).padStart(17)}`,
    );
  }
}

interface Measured extends PictureWork {
  ms: number;
  estimatedMs: number;
}

/** The decoder's limits for the pictures of one request. */
function limits(): ReturnType<typeof pictureLimits> {
  return { ...pictureLimits(LIMITS), shortSide: shortSideFor(INPUT) };
}

async function search<R extends object>(
  format: string,
  parameters: Parameters<R>,
  start: R,
  make: (recipe: R) => File | Promise<File>,
  signal: AbortSignal,
): Promise<Measured[]> {
  const measured: Measured[] = [];
  let lowest: { ms: number; estimatedMs: number; recipe: R } | undefined;
  const startTime = performance.now();
  const best = await searchCostliest({
    parameters,
    starts: [start],
    seed: SEED,
    goesOn: (phase) => {
      signal.throwIfAborted();
      return performance.now() - startTime < (phase === "random" ? RANDOM_MS : RANDOM_MS + CLIMB_MS);
    },
    measure: async (recipe) => {
      const file = await make(recipe);
      if (file.length > LIMITS.maxBodyBytes) return undefined;
      const { ms, isDecoded } = await decodeMs(file);
      const work = pictureWork(file, limits());
      const estimatedMs = pictureMicros(file, limits()) / 1000;
      if (isDecoded && work) measured.push({ ...work, ms, estimatedMs });
      if (ms > SHORT_MS && !(lowest && ms / estimatedMs < lowest.ms / lowest.estimatedMs)) {
        lowest = { ms, estimatedMs, recipe };
      }
      return ms;
    },
  });
  if (!best) return measured;
  const file = await make(best.recipe);
  const { ms, isDecoded } = await decodeMs(file);
  print(
    `\n  ${format}: ${best.tried} tried, ${best.improvements} improvements\n` +
      `    ${ms.toFixed(0)} ms, estimated ${(pictureMicros(file, limits()) / 1000).toFixed(0)}; ` +
      `${(file.length / 1e6).toFixed(2)} MB${isDecoded ? "" : ", refused at the end"}; ${
        JSON.stringify(best.recipe)
      }`,
  );
  if (lowest) {
    print(
      `    Farthest below: ${lowest.ms.toFixed(0)} ms, estimated ${lowest.estimatedMs.toFixed(0)}; ${
        JSON.stringify(lowest.recipe)
      }`,
    );
  }
  return measured;
}

/** Decodes it and fits it into the model's input. What is refused takes its time as well. */
async function decodeMs(file: File, runs = RUNS): Promise<{ ms: number; isDecoded: boolean }> {
  const target = new Float32Array(INPUT.height * INPUT.width);
  const times: number[] = [];
  let isDecoded = true;
  for (let run = 0; run < runs; run++) {
    const start = performance.now();
    await pictureReader(INPUT, pictureLimits(LIMITS))(file, target).catch(() => isDecoded = false);
    times.push(performance.now() - start);
  }
  return { ms: times.sort((a, b) => a - b)[runs >> 1]!, isDecoded };
}
