/** `deno task bench:decode`: how fast this machine makes a folder of photographs ready to train on. */
import process from "node:process";
import { decodePicture } from "../../shared/decode/picture.ts";
import { print, runCommand } from "../../train/cli/command.ts";
import type { Command } from "../../train/cli/options.ts";
import { loadFolder } from "../../train/dataset/folder.ts";
import { encodeJpeg, encodeWebp } from "../helpers/photo_encoders.js";
import { photo } from "../helpers/photos.ts";

const PHOTOS = 1000, DISTINCT = 50, CLASSES = 4, WIDTH = 400, HEIGHT = 500;

const command = {
  name: "deno task bench:decode",
  summary:
    `Measures reading a folder of ${PHOTOS} photos of ${WIDTH}×${HEIGHT}, without a cache and with one.`,
  options: {},
  notes:
    "CPU ms are those of all cores together for one photo. On a machine that does other things too, they tell\n" +
    "more than the photos per second.",
} satisfies Command;

await runCommand(command, async (_values, _operands, signal) => {
  const root = await Deno.makeTempDir({ prefix: "selvedge-bench-" });
  try {
    print(`${Deno.build.target}, Deno ${Deno.version.deno}, ${navigator.hardwareConcurrency} cores`);
    print(`${PHOTOS} photos of ${WIDTH}×${HEIGHT}\n`);
    print(`${"".padEnd(42)}photos/s  CPU ms`);
    const pngs = Array.from({ length: DISTINCT }, (_, seed) => photo(WIDTH, HEIGHT, seed));
    const images = await Promise.all(pngs.map((png) => decodePicture(png, { maxPixels: WIDTH * HEIGHT })));
    const formats = { PNG: pngs, JPEG: images.map(encodeJpeg), WebP: images.map(encodeWebp) };
    for (const [name, photos] of Object.entries(formats)) {
      const folder = `${root}/${name}`;
      const size = await writePhotos(folder, photos);
      for (const [channels, imageSize] of [[1, 28], [3, 64]] as const) {
        for (const state of ["", ", from the cache"]) {
          signal.throwIfAborted();
          const start = performance.now(), before = cpuSeconds();
          await loadFolder(folder, "photos", { channels, imageSize, signal }, `${root}/cache`);
          const speed = PHOTOS / (performance.now() - start) * 1000;
          const cost = (cpuSeconds() - before) / PHOTOS * 1000;
          const what = `${name} of ${
            (size / 1e3).toFixed(0)
          } kB to ${imageSize}×${imageSize}×${channels}${state}`;
          print(`${what.padEnd(46)}${String(Math.round(speed)).padStart(4)}  ${cost.toFixed(1).padStart(6)}`);
        }
      }
    }
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/**
 * Each file is another one, as a cache goes by their bytes; what follows a picture's end is not part of it.
 *
 * @returns bytes of a file, on average
 */
async function writePhotos(folder: string, photos: Uint8Array[]): Promise<number> {
  for (let i = 0; i < PHOTOS; i++) {
    const path = `${folder}/class ${i % CLASSES}`;
    await Deno.mkdir(path, { recursive: true });
    await Deno.writeFile(`${path}/${i}`, new Uint8Array([...photos[i % DISTINCT]!, i & 255, i >> 8]));
  }
  return photos.reduce((sum, { length }) => sum + length, 0) / photos.length;
}
