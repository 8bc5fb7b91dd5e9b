import { InputError } from "../../shared/errors.ts";
import {
  assertEquals,
  assertGreater,
  assertLess,
  assertNotEquals,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { drawSilhouette, drawSilhouettes } from "../../shared/silhouettes/silhouettes.ts";
import { sha256 } from "../../train/dataset/digest.ts";
import { loadDataset } from "../../train/dataset/mod.ts";

Deno.test("drawSilhouettes() draws the same bytes on every machine", () => {
  const { images, labels } = drawSilhouettes(200, 7);
  // Changes only when the drawing does; the accuracies that docs quote then need measuring again.
  assertEquals(sha256(images, labels), "192758fbb87800189c4c7c3f788cd2ddedf73fd1045d2a4518502ee3200b8087");
});

Deno.test("drawSilhouettes() draws every class equally often, in mixed order", () => {
  const { labels } = drawSilhouettes(1000, 3);
  const counts = new Array(10).fill(0);
  for (const label of labels) counts[label]++;
  assertEquals(counts, new Array(10).fill(100));
  // A thousand in order would be 0, 1, 2, …; by chance one in ten stands where it stood.
  const unmoved = labels.filter((label, i) => label === i % 10).length;
  assertLess(unmoved, 160);
});

Deno.test("drawSilhouettes() draws another set for another seed", () => {
  const [one, other] = [drawSilhouettes(20, 1), drawSilhouettes(20, 2)];
  assertNotEquals(one.images, other.images);
  assertNotEquals(one.labels, other.labels);
});

Deno.test("drawSilhouettes() leaves the background black and the garment light", () => {
  const { images } = drawSilhouettes(500, 11);
  for (let i = 0; i < 500; i++) {
    const image = images.subarray(i * 784, (i + 1) * 784);
    const lit = image.filter((pixel) => pixel > 0).length;
    assertGreater(lit, 40, `image ${i} is nearly empty`);
    assertLess(lit, 600, `image ${i} has hardly any background`);
    assertGreater(image.reduce((a, b) => Math.max(a, b)), 60, `image ${i} is dark`);
  }
});

Deno.test("drawSilhouettes() gives every class a distinct shape", () => {
  const { images, labels } = drawSilhouettes(2000, 5);
  // How much of each column and row is covered, relative to the garment's own box: no place, no brightness.
  const profiles = Array.from({ length: 10 }, () => new Float64Array(56));
  for (let i = 0; i < labels.length; i++) {
    const image = images.subarray(i * 784, (i + 1) * 784);
    image.forEach((pixel, at) => {
      if (pixel === 0) return;
      profiles[labels[i]!]![at % 28]! += 1 / 200;
      profiles[labels[i]!]![28 + Math.floor(at / 28)]! += 1 / 200;
    });
  }
  for (let a = 0; a < 10; a++) {
    for (let b = 0; b < a; b++) {
      const distance = profiles[a]!.reduce((sum, value, i) => sum + Math.abs(value - profiles[b]![i]!), 0);
      assertGreater(distance, 20, `classes ${a} and ${b} look alike`);
    }
  }
});

Deno.test("drawSilhouettes() rejects a count or a seed that is no such integer", () => {
  assertThrows(() => drawSilhouettes(-1, 0), RangeError, "current value is -1");
  assertThrows(() => drawSilhouettes(1.5, 0), RangeError, "current value is 1.5");
  assertThrows(
    () => drawSilhouettes(1, NaN),
    RangeError,
    "seed must be an integer in 0..4294967295: current value is NaN",
  );
  assertThrows(() => drawSilhouettes(1, -1), RangeError, "current value is -1");
  assertThrows(() => drawSilhouettes(1, 2 ** 32), RangeError, "current value is 4294967296");
  assertEquals(drawSilhouettes(0, 0).images.length, 0);
});

Deno.test("drawSilhouette() draws one garment, the same for the same seed", () => {
  const image = drawSilhouette(8, 42);
  assertEquals(image.length, 784);
  assertEquals(drawSilhouette(8, 42), image);
  assertNotEquals(drawSilhouette(8, 43), image);
  assertNotEquals(drawSilhouette(7, 42), image);
});

Deno.test("drawSilhouette() rejects a class that is not there", () => {
  for (const wrong of [-1, 10, 0.5]) {
    assertThrows(
      () => drawSilhouette(wrong, 0),
      RangeError,
      `must be an integer in 0..9: current value is ${wrong}`,
    );
  }
});

Deno.test("loadDataset() draws the silhouettes, with no image in both splits", async () => {
  const dataset = await loadDataset("silhouettes");
  assertEquals(dataset.name, "silhouettes");
  assertEquals(dataset.labels[9], "Ankle boot");
  assertEquals([dataset.height, dataset.width], [28, 28]);
  const seen = new Set<string>();
  for (const { images, labels, count } of [dataset.train, dataset.test]) {
    assertEquals([labels.length, images.length], [count, count * 784]);
    for (let i = 0; i < count; i++) seen.add(sha256(images.subarray(i * 784, (i + 1) * 784)));
  }
  assertEquals([dataset.train.count, dataset.test.count], [12_000, 2_000]);
  assertEquals(seen.size, 14_000);
  const { train, test } = dataset;
  const [learnt, tested] = [new Uint8Array(train.labels), new Uint8Array(test.labels)];
  assertEquals(dataset.sha256, sha256(train.images, learnt, test.images, tested));
});

Deno.test("loadDataset() rejects a directory for the silhouettes", async () => {
  await assertRejects(
    () => loadDataset("silhouettes", { data: "here" }),
    InputError,
    'current --data is "here"',
  );
});

Deno.test("loadDataset() rejects an unknown name and lists the known ones", async () => {
  await assertRejects(
    () => loadDataset("mnist"),
    InputError,
    'the name must be one of "fashion-mnist", "silhouettes", or a folder: current value is "mnist"',
  );
});
