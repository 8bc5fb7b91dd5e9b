/**
 * `deno task bench costly`: the picture of each format, within the default limits, that takes longest to decode, found by
 * random search. The same seed tries the same pictures; a slow machine tries fewer.
 *
 * @module
 */
import fc from "fast-check";
import { readConfig } from "../../serve/config.ts";
import { pictureLimits, pictureReader } from "../../serve/decode/picture.ts";
import { pictureMicros } from "../../shared/decode/cost.ts";
import { print } from "../../train/cli/command.ts";
import { costlyJpeg, costlyPng, costlyWebp, type PhotoRecipe, type PngRecipe } from "./costly_pictures.ts";

const SEED = 15;
/** How long each format is searched, in ms. */
const SEARCH_MS = 20_000;
/** The fastest of so many runs counts, as other programs interrupt some. */
const RUNS = 3;

const LIMITS = readConfig({});
/** Of the shipped model. */
const INPUT = { channels: 1, height: 28, width: 28 };

type File = Uint8Array<ArrayBuffer>;

/** Pictures of the most pixels: square, or up to lines of one pixel. */
function sizes(longest: number): fc.Arbitrary<{ width: number; height: number }> {
  return fc.tuple(fc.integer({ min: 0, max: Math.floor(Math.log2(longest)) }), fc.boolean()).map(
    ([bits, isSquare]) => {
      const width = isSquare ? Math.floor(Math.sqrt(LIMITS.maxPixels)) : 2 ** bits;
      return { width, height: Math.min(longest, Math.floor(LIMITS.maxPixels / width)) };
    },
  );
}

const SHARE = fc.integer({ min: 0, max: 20 }).map((step) => step / 20);

/** PNG's colour types and their depths. */
const PIXEL_FORMATS = [[0, 8], [0, 16], [2, 8], [2, 16], [3, 1], [3, 8], [4, 8], [4, 16], [6, 8], [
  6,
  16,
]] as const;

const PNG_RECIPES: fc.Arbitrary<PngRecipe> = fc.record({
  size: sizes(LIMITS.maxPixels),
  format: fc.constantFrom(...PIXEL_FORMATS),
  filter: fc.integer({ min: 0, max: 4 }),
  noise: SHARE,
}).map(({ size, format: [colour, depth], ...rest }) => ({ ...size, colour, depth, ...rest }));

function photoRecipes(longest: number): fc.Arbitrary<PhotoRecipe> {
  return fc.record({
    size: sizes(longest),
    noise: SHARE,
    quality: fc.constantFrom(5, 50, 75, 85, 95, 100),
    variant: fc.boolean(),
  }).map(({ size, ...rest }) => ({ ...size, ...rest }));
}

export async function benchCostly(signal: AbortSignal): Promise<void> {
  print(`\nThe costliest pictures within the limits, ${SEARCH_MS / 1000} s for each format, seed ${SEED}`);
  await search("PNG", PNG_RECIPES, (recipe) => Promise.resolve(costlyPng(recipe)), signal);
  await search("JPEG", photoRecipes(65_500), costlyJpeg, signal);
  await search("WebP", photoRecipes(16_383), costlyWebp, signal);
}

interface Found {
  recipe: unknown;
  megabytes: number;
  ms: number;
  estimatedMs: number;
}

async function search<R>(
  format: string,
  recipes: fc.Arbitrary<R>,
  make: (recipe: R) => Promise<File>,
  signal: AbortSignal,
): Promise<void> {
  const end = performance.now() + SEARCH_MS;
  const found: Found[] = [];
  for (let seed = SEED; performance.now() < end; seed++) {
    signal.throwIfAborted();
    const [recipe] = fc.sample(recipes, { seed, numRuns: 1 });
    const file = await make(recipe!);
    if (file.length > LIMITS.maxBodyBytes) continue;
    const estimatedMs = pictureMicros(file, pictureLimits(LIMITS)) / 1000;
    found.push({ recipe, megabytes: file.length / 1e6, ms: await decodeMs(file), estimatedMs });
  }
  const ratios = found.map(({ ms, estimatedMs }) => ms / estimatedMs).sort((a, b) => a - b);
  print(
    `\n  ${format}: ${found.length} tried; time / estimate ${ratios.at(0)?.toFixed(2)} to ${
      ratios.at(-1)?.toFixed(2)
    }`,
  );
  found.sort((a, b) => b.ms - a.ms);
  for (const { recipe, megabytes, ms, estimatedMs } of found.slice(0, 3)) {
    print(
      `    ${ms.toFixed(0).padStart(4)} ms, estimated ${estimatedMs.toFixed(0).padStart(4)}; ` +
        `${megabytes.toFixed(2)} MB, ${JSON.stringify(recipe)}`,
    );
  }
}

/** Decodes it and fits it into the model's input. */
async function decodeMs(file: File): Promise<number> {
  const target = new Float32Array(INPUT.height * INPUT.width);
  let least = Infinity;
  for (let run = 0; run < RUNS; run++) {
    const start = performance.now();
    // What is refused takes its time as well.
    await pictureReader(INPUT, pictureLimits(LIMITS))(file, target).catch(() => {});
    least = Math.min(least, performance.now() - start);
  }
  return least;
}
