/**
 * Folders of pictures for the tests of training on one's own images.
 *
 * @module
 */
import { assertRejects, assertStringIncludes } from "@std/assert";
import { dirname, join } from "node:path";
import { InputError } from "../../shared/errors.ts";
import { drawSilhouettes, SILHOUETTE_SIZE } from "../../shared/silhouettes/silhouettes.ts";
import { Random } from "../../shared/random.ts";
import { loadFolder } from "../../train/dataset/folder.ts";
import type { DatasetOptions } from "../../train/dataset/mod.ts";
import { encodePng } from "./png_encoder.ts";

/** Makes a temporary folder with these files, and removes it afterwards. */
export async function inFolder(
  files: Record<string, Uint8Array | string>,
  run: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await write(folder, files);
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Writes files and the folders that they need. */
export async function write(folder: string, files: Record<string, Uint8Array | string>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    const file = join(folder, path);
    await Deno.mkdir(dirname(file), { recursive: true });
    await Deno.writeFile(file, typeof content === "string" ? new TextEncoder().encode(content) : content);
  }
}

/** A small grey PNG of one square on white; another seed gives another file. */
export function square(seed: number, side = 20): Uint8Array<ArrayBuffer> {
  const random = new Random(seed);
  const [left, top, value] = [random.below(side / 2), random.below(side / 2), random.below(200)];
  return encodePng({
    width: side,
    height: side,
    depth: 8,
    colour: 0,
    interlaced: false,
    filters: [0],
    sample: (x, y) =>
      x >= left && x < left + side / 2 && y >= top && y < top + side / 2 ? value : 254 + (seed & 1),
  });
}

/** `count` squares for each class, as `class/0.png` and so on. */
export function squares(classes: string[], count: number, prefix = ""): Record<string, Uint8Array> {
  const files: Record<string, Uint8Array> = {};
  for (const [c, name] of classes.entries()) {
    for (let i = 0; i < count; i++) {
      files[`${prefix}${name}/${i}.png`] = square(1000 * c + i + 100_000 * prefix.length);
    }
  }
  return files;
}

/** A garment drawn by code, twice as large, dark on white, with a margin: as a shop would show it. */
export function garments(count: number, kind: number, seed: number): Uint8Array<ArrayBuffer>[] {
  const { images, labels } = drawSilhouettes(count * 10, seed);
  const size = SILHOUETTE_SIZE, pngs: Uint8Array<ArrayBuffer>[] = [];
  for (const [i, label] of labels.entries()) {
    if (label !== kind) continue;
    const pixels = images.subarray(i * size * size, (i + 1) * size * size);
    pngs.push(encodePng({
      width: 70,
      height: 80,
      depth: 8,
      colour: 0,
      interlaced: false,
      filters: [1],
      sample: (x, y) => {
        const [column, row] = [(x - 7) >> 1, (y - 12) >> 1];
        const inside = column >= 0 && column < size && row >= 0 && row < size;
        return 255 - (inside ? pixels[row * size + column]! : 0);
      },
    }));
  }
  return pngs;
}

/** Red, green and blue that are the same grey: 0.299 R + 0.587 G + 0.114 B is 76 for each. */
export const COLOURS = { red: [255, 0, 0], green: [0, 130, 0], blue: [60, 60, 202] } as const;

/** A blot of one colour, somewhere on white; only the colour tells its class. */
export function blot(colour: readonly [number, number, number], seed: number): Uint8Array<ArrayBuffer> {
  const random = new Random(seed);
  const [width, height] = [40 + random.below(30), 40 + random.below(30)];
  const [x0, y0] = [width * random.uniform(0.3, 0.7), height * random.uniform(0.3, 0.7)];
  const [a, b] = [random.uniform(6, 20), random.uniform(6, 20)];
  return encodePng({
    width,
    height,
    depth: 8,
    colour: 2,
    interlaced: false,
    filters: [0],
    sample: (x, y, c) => ((x - x0) / a) ** 2 + ((y - y0) / b) ** 2 < 1 ? colour[c]! : 255,
  });
}

/** Loads a folder with its cache beside it, and collects the notes. */
export async function load(
  folder: string,
  options: DatasetOptions = {},
): Promise<{ dataset: Awaited<ReturnType<typeof loadFolder>>; notes: string[] }> {
  const notes: string[] = [];
  const dataset = await loadFolder(
    folder,
    "mine",
    { ...options, onNote: (line) => notes.push(line) },
    `${folder}.cache`,
  ).finally(() => Deno.remove(`${folder}.cache`, { recursive: true }).catch(() => {}));
  return { dataset, notes };
}

/** Asserts that a folder with some files is refused with some messages. */
export async function assertRefused(
  files: Record<string, Uint8Array | string>,
  ...messages: string[]
): Promise<void> {
  await inFolder(files, async (folder) => {
    const error = await assertRejects(() => load(folder), InputError);
    for (const message of [`Cannot use the folder "${folder}" as`, ...messages]) {
      assertStringIncludes(`${error.message}. ${error.hint}`, message);
    }
  });
}
