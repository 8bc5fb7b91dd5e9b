import { assert, assertEquals } from "@std/assert";
import { deflateSync } from "node:zlib";
import { decodePicture } from "../../shared/decode/picture.ts";
import { decodePng } from "../../shared/decode/png.ts";
import { borderMedian } from "../../shared/border_median.ts";
import { fitImage } from "../../shared/image.ts";
import { jpegOfScans } from "../bench/costly_jpeg.ts";
import { costlyPng } from "../bench/costly_png.ts";
import { headerOf, pngFile } from "../helpers/png_encoder.ts";

/** How often `sort` of an array is called while something runs, and on how many items. */
async function sorted(run: () => unknown): Promise<number> {
  // deno-lint-ignore no-explicit-any -- the method is replaced as it is
  const prototype = Array.prototype as any;
  const { sort } = prototype;
  let items = 0;
  prototype.sort = function (this: unknown[], ...rest: unknown[]): unknown {
    items += this.length;
    return sort.apply(this, rest);
  };
  try {
    await run();
  } finally {
    prototype.sort = sort;
  }
  return items;
}

/** A PNG of 16-bit grey and alpha that are 0, which inflates a thousandfold. */
function zeros(width: number, height: number): Uint8Array<ArrayBuffer> {
  const header = headerOf({ width, height, depth: 16, colour: 4, interlaced: false });
  const data = new Uint8Array(deflateSync(new Uint8Array((1 + 4 * width) * height)));
  return pngFile(["IHDR", header], ["IDAT", data], ["IEND", new Uint8Array()]);
}

Deno.test("fitImage() sorts no border, which in a picture of one line is the whole picture", async () => {
  for (const preprocessing of ["grey-on-black-1", "grey-on-black-2"] as const) {
    const image = { width: 100_000, height: 1, channels: 4 as const, data: new Uint8Array(400_000) };
    const items = await sorted(() => fitImage(image, { width: 28, height: 28, preprocessing }));
    assertEquals(items, 0, preprocessing);
  }
});

Deno.test("borderMedian() is the upper median of the border", () => {
  assertEquals(borderMedian(Uint8Array.of(7), { width: 1, height: 1 }), 7);
  assertEquals(borderMedian(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9), { width: 3, height: 3 }), 6);
  assertEquals(borderMedian(new Uint8Array(20).fill(255), { width: 5, height: 4 }), 255);
});

Deno.test("decodePng() lets other events in while it decodes a large picture", async () => {
  for (const [width, height] of [[1000, 1000], [1_000_000, 1], [1, 1_000_000]] as const) {
    let turns = 0;
    const turn = (): Promise<void> => {
      turns++;
      return Promise.resolve();
    };
    const { data } = await decodePng(zeros(width, height), { maxPixels: 1_000_000, turn });
    assertEquals(data.length, 4_000_000);
    assert(turns >= Math.floor((1 + 4 * width) * height / 600_000), `${turns} turns`);
  }
});

Deno.test("decodePng() lets other events in while it inflates blocks that make no pixels", async () => {
  let turns = 0;
  const turn = (): Promise<void> => {
    turns++;
    return Promise.resolve();
  };
  const tables = 1_000_000;
  const file = costlyPng({
    size: { width: 8, height: 8 },
    format: [0, 8],
    filter: 0,
    noise: 0,
    tables,
  });
  const { data } = await decodePng(file, { maxPixels: 1_000_000, turn });
  assertEquals(data.length, 64);
  assert(turns >= Math.floor(tables / 70_000), `${turns} turns`);
});

Deno.test("decodePicture() lets other events in while it reads the DC coefficients of a large JPEG", async () => {
  let turns = 0;
  const turn = (): Promise<void> => {
    turns++;
    return Promise.resolve();
  };
  const side = 4096, blocks = (side / 8) ** 2;
  const file = jpegOfScans({
    size: { width: side, height: side },
    components: 1,
    sampling: [1, 1],
    progressive: true,
    coefficients: 0,
    scans: 4,
    refined: "dc",
    interval: 0,
  });
  const { width } = await decodePicture(file, { maxPixels: 1_000_000, shortSide: 256, turn });
  assertEquals(width, side / 8);
  // Three scans have DC coefficients, and one is written.
  assert(turns >= 4 * Math.floor(blocks / 70_000), `${turns} turns`);
});
