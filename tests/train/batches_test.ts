import * as tf from "@tensorflow/tfjs";
import { assert, assertAlmostEquals, assertEquals, assertLess } from "@std/assert";
import { borderMedian } from "../../shared/border_median.ts";
import { Random } from "../../shared/random.ts";
import {
  type Augmentation,
  type Batch,
  batches,
  dropoutMasks,
  range,
  symmetricBeta,
} from "../../train/learning/batches.ts";

await tf.setBackend("cpu");

// Two images of three rows and two columns, of three classes.
const split = {
  images: new Uint8Array([0, 51, 102, 153, 204, 255, 255, 204, 153, 102, 51, 0]),
  labels: new Uint8Array([0, 2]),
  count: 2,
};
const plain: Augmentation = {
  flip: false,
  shift: 0,
  shiftProbability: 1,
  mixup: 0,
  labelSmoothing: 0,
  random: new Random(0),
};
const shape = { classes: 3, width: 2, height: 3 };

function batchOf(changes: Partial<Augmentation>, source = split): Batch {
  const augmentation = { ...plain, ...changes };
  return batches(source, range(source.count), { ...shape, batchSize: source.count, augmentation })
    .next().value!;
}

/** Fifths of white, so that they can be compared exactly. */
function rows({ images }: Batch): number[][] {
  return (images.arraySync() as number[][]).map((row) => row.map((value) => Math.round(value * 5)));
}

Deno.test("batches() scales pixels to 0..1 and makes the class a vector", () => {
  const batch = batchOf({});
  assertEquals(rows(batch), [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0]]);
  assertEquals(batch.targets.arraySync(), [[1, 0, 0], [0, 0, 1]]);
});

Deno.test("batches() gives a smaller batch at the end", () => {
  const sizes = Array.from(batches(split, Uint32Array.of(0, 1, 0), { ...shape, batchSize: 2 }));
  assertEquals(sizes.map(({ count }) => count), [2, 1]);
  assertEquals(sizes[1]!.images.shape, [1, 6]);
});

Deno.test("batches() mirrors half of the images from left to right, each plane of colour by itself", () => {
  const many = {
    images: new Uint8Array(1200).map((_, i) => (i % 6) * 51),
    labels: new Uint8Array(200),
    count: 200,
  };
  const found = rows(batchOf({ flip: true, random: new Random(1) }, many));
  const mirrored = found.filter((row) => row.join() === "1,0,3,2,5,4").length;
  assertEquals(found.filter((row) => row.join() === "0,1,2,3,4,5").length + mirrored, 200);
  assert(mirrored > 70 && mirrored < 130);
});

Deno.test("batches() moves images every way by up to the given number of pixels, and fills with 0", () => {
  const many = { images: new Uint8Array(1200).fill(255), labels: new Uint8Array(200), count: 200 };
  const found = new Set(rows(batchOf({ shift: 1, random: new Random(2) }, many)).map((row) => row.join("")));
  // 3 × 3 ways: the middle, one side, one end, and corners.
  assertEquals(
    [...found].sort(),
    [
      "000505",
      "000555",
      "005050",
      "005555",
      "050500",
      "050505",
      "055555",
      "505000",
      "505050",
      "550505",
      "555500",
      "555555",
    ]
      .filter((row) => found.has(row)).sort(),
  );
  assertEquals(found.size, 9);
  // Both planes of a picture of two move alike, and nothing crosses from one into the other.
  const planes = {
    images: new Uint8Array([...Array(6).fill(255), ...Array(6).fill(51)]),
    labels: new Uint8Array(1),
    count: 1,
  };
  for (let seed = 0; seed < 20; seed++) {
    const [row] = rows(batchOf({ shift: 1, random: new Random(seed) }, planes)) as [number[]];
    // In colour, uncovered pixels get the background.
    assertEquals(row, [5, 5, 5, 5, 5, 5, 1, 1, 1, 1, 1, 1]);
  }
});

Deno.test("batches() moves all planes alike and fills each with its background, the median of its border", () => {
  const plane = (background: number, dot: number): number[] =>
    Array.from({ length: 25 }, (_, i) => i === 12 ? dot : background);
  const image = {
    images: new Uint8Array([...plane(204, 51), ...plane(153, 102), ...plane(0, 255)]),
    labels: new Uint8Array(1),
    count: 1,
  };
  const options = { classes: 3, width: 5, height: 5, batchSize: 1 };
  const places = new Set<number>();
  for (let seed = 0; seed < 20; seed++) {
    const augmentation = { ...plain, shift: 2, random: new Random(seed) };
    const [row] = rows(batches(image, range(1), { ...options, augmentation }).next().value!) as [number[]];
    const place = row.indexOf(1);
    places.add(place);
    const expected = [[4, 1], [3, 2], [0, 5]].flatMap(([background, dot]) =>
      Array.from({ length: 25 }, (_, i) => i === place ? dot! : background!)
    );
    assertEquals(row, expected);
  }
  assert(places.size > 10, "the dot moves");
});

Deno.test("batches() smooths labels", () => {
  const [first] = batchOf({ labelSmoothing: 0.3 }).targets.arraySync() as [number[]];
  [0.8, 0.1, 0.1].forEach((expected, i) => assertAlmostEquals(first[i]!, expected, 1e-6));
});

Deno.test("batches() blends images and targets by the same share", () => {
  let seen = 0;
  for (let seed = 0; seed < 20; seed++) {
    const batch = batchOf({ mixup: 0.4, random: new Random(seed) });
    const images = batch.images.arraySync() as number[][], targets = batch.targets.arraySync() as number[][];
    for (const [i, [share]] of targets.entries()) {
      // The first image's share is what is left of the first class; the two images add up to white.
      assertAlmostEquals(targets[i]![2]!, 1 - share!, 1e-6);
      images[i]!.forEach((value, p) =>
        assertAlmostEquals(value, share! * p / 5 + (1 - share!) * (5 - p) / 5, 1e-6)
      );
      if (share! > 0.01 && share! < 0.99) seen++;
    }
  }
  assert(seen > 5, "some are really blended");
});

Deno.test("symmetricBeta() has the mean and the variance of Beta(α, α)", () => {
  for (const alpha of [0.1, 0.4, 1]) {
    const random = new Random(3);
    const draws = Array.from({ length: 40_000 }, () => symmetricBeta(alpha, random));
    const mean = draws.reduce((sum, x) => sum + x, 0) / draws.length;
    const variance = draws.reduce((sum, x) => sum + (x - mean) ** 2, 0) / draws.length;
    assertLess(Math.abs(mean - 0.5), 0.01);
    assertLess(Math.abs(variance - 1 / (4 * (2 * alpha + 1))), 0.005);
    assert(draws.every((x) => x >= 0 && x <= 1));
  }
});

Deno.test("batches() and dropoutMasks() give the bytes of a plain implementation for every shape", () => {
  for (const [width, height, planes, count] of [[28, 28, 1, 70], [7, 5, 3, 33], [1, 1, 1, 9]] as const) {
    const size = width * height * planes, drawn = new Random(9);
    const many = {
      images: Uint8Array.from({ length: count * size }, () => drawn.below(256)),
      labels: Uint8Array.from({ length: count }, () => drawn.below(3)),
      count,
    };
    for (
      const [flip, shift, mixup] of [[true, 1, 0.4], [false, 3, 0], [true, 0, 0], [false, 0, 0.2]] as const
    ) {
      const augmentation = { ...plain, flip, shift, shiftProbability: 0.4, mixup, random: new Random(4) };
      const [batch] = batches(many, range(count), {
        classes: 3,
        width,
        height,
        batchSize: count,
        augmentation,
      });
      const random = new Random(4);
      const pixels = Array.from({ length: count }, (_, image) => {
        const mirrored = flip && (random.uint32() & 1) === 1;
        const moved = shift > 0 && random.chance(0.4);
        const [right = 0, down = 0] = moved ? [0, 0].map(() => random.below(2 * shift + 1) - shift) : [];
        return Array.from({ length: size }, (_, p) => {
          const row = Math.floor(p / width), y = row % height - down, x = p % width - right;
          if (y < 0 || y >= height || x < 0 || x >= width) {
            const start = image * size + Math.floor(row / height) * height * width;
            const plane = many.images.subarray(start, start + height * width);
            return planes === 1 ? 0 : Math.fround(borderMedian(plane, { width, height }) / 255);
          }
          const column = mirrored ? width - 1 - x : x;
          return Math.fround(many.images[image * size + (row - down) * width + column]! / 255);
        });
      });
      const share = mixup > 0 ? symmetricBeta(mixup, random) : 1, partners = range(count);
      if (mixup > 0) random.shuffle(partners);
      const expected = pixels.flatMap((row, i) =>
        row.map((value, p) => Math.fround(share * value + (1 - share) * pixels[partners[i]!]![p]!))
      );
      assertEquals([...batch!.images.dataSync()], expected);
    }
  }
  const random = new Random(3), expected = new Random(3);
  for (const rate of [0.05, 0.5, 1 - 2 ** -40]) {
    const [mask] = dropoutMasks(3, [7], rate, random);
    const scale = Math.fround(1 / (1 - rate));
    assertEquals(
      [...mask!.dataSync()],
      Array.from({ length: 21 }, () => expected.uint32() < rate * 2 ** 32 ? 0 : scale),
    );
  }
  assertEquals(random.uint32(), expected.uint32(), "the generator goes on where the mask ended");
});
