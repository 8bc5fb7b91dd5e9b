import { assert, assertEquals, assertNotEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { type DatasetOptions, loadDataset } from "../../train/dataset/mod.ts";
import { DecodePool } from "../../train/dataset/decode_pool.ts";
import { listImages } from "../../train/dataset/listing.ts";
import { MAX_CLASSES } from "../../train/dataset/limits.ts";
import { stratify } from "../../train/dataset/stratify.ts";
import { decodePicture } from "../../shared/decode/picture.ts";
import { encodeJpeg, encodeWebp } from "../helpers/photo_encoders.js";
import { photo } from "../helpers/photos.ts";
import { assertRefused, inFolder, load, square, squares } from "../helpers/picture_folder.ts";

Deno.test("a folder of pictures is split by class, one fifth for testing", async () => {
  await inFolder(squares(["b", "a"], 10), async (folder) => {
    const { dataset, notes } = await load(folder);
    assertEquals(dataset.labels, ["a", "b"]);
    assertEquals([dataset.train.count, dataset.test.count], [16, 4]);
    assertEquals([...dataset.test.labels], [0, 0, 1, 1]);
    assertNotEquals(dataset.train.labels, dataset.train.labels.toSorted(), "the classes are mixed");
    assertEquals([dataset.channels, dataset.height, dataset.width], [1, 28, 28]);
    assertEquals(dataset.train.images.length, 16 * 784);
    assertEquals(dataset.splitSeed, 0);
    assertEquals(notes, []);
  });
});

Deno.test("the seed draws the split, and neither file names nor places change anything", async () => {
  const files = squares(["a", "b"], 12);
  const renamed = Object.fromEntries(
    Object.entries(files).map((
      [path, bytes],
      i,
    ) => [path.replace("/", "/deep/er/").replace(/\d+/, `x${97 * i % 24}`), bytes]),
  );
  await inFolder({ ...files }, async (folder) => {
    const first = await load(folder);
    assertEquals(await load(folder), first);
    const other = await load(folder, { splitSeed: 1 });
    assertNotEquals(other.dataset.test.images, first.dataset.test.images);
    await inFolder(renamed, async (other) => {
      assertEquals((await load(other)).dataset.sha256, first.dataset.sha256);
    });
  });
});

Deno.test("PNG, JPEG and WebP are read, whatever their names say", async () => {
  const files: Record<string, Uint8Array> = {};
  for (const [c, name] of ["a", "b"].entries()) {
    for (let i = 0; i < 5; i++) {
      const png = photo(60, 50, 10 * c + i);
      const image = await decodePicture(png, { maxPixels: 3000 });
      files[`${name}/${i}.jpg`] = png;
      files[`${name}/${i}.png`] = encodeJpeg(image);
      files[`${name}/${i}`] = encodeWebp(image);
    }
  }
  await inFolder(files, async (folder) => {
    // Not cropped, as the scene fills the picture: the crop would depend on the compression.
    const { dataset, notes } = await load(folder, { channels: 3, preprocessing: "rgb-squash-1" });
    assertEquals([dataset.train.count, dataset.test.count, notes.length], [24, 6, 0]);
    // The three of one photo differ by what compression loses only.
    const all = [dataset.train, dataset.test].flatMap(({ images, count }) =>
      Array.from({ length: count }, (_, i) => images.subarray(i * 2352, (i + 1) * 2352))
    );
    for (const image of all) {
      const distances = all.map((other) =>
        image.reduce((sum, value, i) => sum + Math.abs(value - other[i]!), 0) / 2352
      );
      assertEquals(distances.filter((distance) => distance < 6).length, 3);
    }
  });
});

Deno.test("train, test and validation folders are kept apart", async () => {
  const files = {
    ...squares(["a", "b"], 6, "train/"),
    ...squares(["a", "b"], 3, "test/"),
    ...squares(["a", "b"], 2, "validation/"),
  };
  await inFolder(files, async (folder) => {
    const { dataset } = await load(folder);
    assertEquals([dataset.train.count, dataset.validation, dataset.test.count], [16, 4, 6]);
    assertEquals([...dataset.train.labels.subarray(12)], [0, 0, 1, 1], "validation comes last");
    assertEquals(dataset.splitSeed, undefined);
  });
  await inFolder(
    { ...squares(["a", "b"], 6, "train/"), ...squares(["a", "b"], 2, "val/") },
    async (folder) => {
      const { dataset } = await load(folder);
      assertEquals([dataset.train.count, dataset.validation, dataset.test.count], [14, 4, 2]);
    },
  );
});

Deno.test("a class may be called train", async () => {
  await inFolder(squares(["train", "plane"], 5), async (folder) => {
    assertEquals((await load(folder)).dataset.labels, ["plane", "train"]);
  });
});

Deno.test("class names may be in any script, and are composed", async () => {
  // The last one decomposed, as macOS writes it.
  const names = ["брюки", "鞄", "أحذية", "👢 boots", "Schnu\u0308rschuh"];
  await inFolder(squares(names, 5), async (folder) => {
    const { labels } = (await load(folder)).dataset;
    assertEquals(labels, names.map((name) => name.normalize("NFC")).sort());
    assert(labels.includes("Schn\u00fcrschuh"));
  });
});

Deno.test("more than 256 classes have labels of two bytes", async () => {
  const classes = Array.from({ length: 300 }, (_, i) => `c${String(i).padStart(3, "0")}`);
  await inFolder(squares(classes, 2), async (folder) => {
    const { dataset } = await load(folder, { imageSize: 8 });
    assert(dataset.train.labels instanceof Uint16Array);
    assertEquals([...dataset.test.labels], classes.map((_, i) => i));
    assertEquals(dataset.train.images.length, 300 * 64);
  });
});

Deno.test("a folder that is not laid out by class is refused with what to do", async (t) => {
  const many = Array.from({ length: MAX_CLASSES + 1 }, (_, i) => `c${i}/x.png`);
  const cases: [string, Record<string, Uint8Array | string>, string[]][] = [
    ["nothing", {}, ["at least 2 class folders", "there are none. Make a folder for each class"]],
    ["pictures only", { "a.png": square(1) }, ["there are none. Make a folder for each class"]],
    ["one class", squares(["cats"], 3), ['there is only "cats"']],
    ["an empty class", { ...squares(["a", "b"], 3), "c/.keep": "" }, [
      '"c" has none. Add some or remove it',
    ]],
    ["names that differ by case", squares(["Cat", "cat"], 3), ['there are "Cat", "cat" in "."']],
    ["names that differ by form", squares(["\u00e9", "e\u0301"], 3), ["Unicode form"]],
    ["names that differ by a blank", squares(["a", "a "], 3), ["Put their images into one of them"]],
    ["too many classes", Object.fromEntries(many.map((path) => [path, ""])), [
      "at most 1000 class folders: there are 1001",
    ]],
    ["another test class", { ...squares(["a", "b"], 3, "train/"), ...squares(["a", "c"], 3, "test/") }, [
      'only "train" has "b", only "test" has "c". Rename or remove',
    ]],
    ["another validation class", {
      ...squares(["a", "b"], 3, "train/"),
      ...squares(["a", "b", "c"], 3, "val/"),
    }, [
      '"train" and "val" must have the same class folders: only "val" has "c"',
    ]],
    ["splits beside classes", squares(["train", "test", "cats"], 3), ['there is "cats". Move class folders']],
    ["two validation splits", squares(["train", "val", "validation"], 3), ["Remove one"]],
    ["one picture of a class", { ...squares(["a"], 3), "b/0.png": square(9) }, [
      'class "b" must have at least 2 readable images, one for training and one for testing: it has 1',
    ]],
    ["no readable picture of a test class", {
      ...squares(["a", "b"], 9, "train/"),
      ...squares(["a"], 3, "test/"),
      "test/b/0.png": "no",
    }, ['class "b" must have at least 1 readable image: in "test" it has 0']],
  ];
  for (const [name, files, messages] of cases) {
    await t.step(name, async () => await assertRefused(files, ...messages));
  }
});

Deno.test("test images that are training images too are counted", async () => {
  const files = { ...squares(["a", "b"], 4, "train/"), ...squares(["a", "b"], 2, "test/") };
  files["test/a/0.png"] = files["train/a/0.png"]!;
  await inFolder(files, async (folder) => {
    assertEquals((await load(folder)).notes, [
      "NOTE: 1 of 4 test images are training images too, byte for byte",
    ]);
  });
});

Deno.test("images that are in several classes are counted", async () => {
  const files = squares(["a", "b"], 4);
  files["b/0.png"] = files["a/0.png"]!;
  await inFolder(files, async (folder) => {
    const { notes } = await load(folder);
    assertEquals(notes[0], "NOTE: 1 images are in more than one class, byte for byte");
  });
});

Deno.test("many pictures are decoded beside the main thread, to the same bytes", async () => {
  const files = squares(["a", "b"], 40);
  await inFolder(files, async (folder) => {
    const few = Object.fromEntries(Object.entries(files).filter((_, i) => i % 10 === 0));
    await inFolder(few, async (small) => {
      const images = async (folder: string): Promise<Set<string>> => {
        const { train, test } = (await load(folder)).dataset;
        const all = [...train.images, ...test.images];
        return new Set(
          Array.from({ length: all.length / 784 }, (_, i) => all.slice(i * 784, (i + 1) * 784).join()),
        );
      };
      const [all, some] = [await images(folder), await images(small)];
      for (const image of some) assert(all.has(image));
      assert(some.size > 1);
    });
  });
});

Deno.test("a worker that fails to start rejects every picture", {
  ignore: navigator.hardwareConcurrency < 2,
}, async () => {
  const script = new URL("data:text/javascript,throw new Error('broken')");
  const pool = new DecodePool({ channels: 1, height: 28, width: 28 }, 64, script);
  const outcomes = await Promise.allSettled(
    Array.from({ length: 8 }, (_, i) => pool.decode(square(i))),
  );
  for (const outcome of outcomes) {
    assert(outcome.status === "rejected");
    assertStringIncludes(outcome.reason.message, "Cannot decode as a worker failed");
  }
  // And those that come later.
  await assertRejects(() => pool.decode(square(9)), Error, "Cannot decode as a worker failed");
  pool.close();
});

Deno.test("loading can be stopped", async () => {
  await inFolder(squares(["a", "b"], 40), async (folder) => {
    const stop = new AbortController();
    const options: DatasetOptions = { signal: stop.signal, onProgress: () => stop.abort() };
    await assertRejects(() => load(folder, options), DOMException, "aborted");
  });
});

Deno.test("listImages() sorts, so that no disk decides the order", async () => {
  await inFolder(squares(["b", "a"], 3), async (folder) => {
    const { train } = await listImages(folder);
    assertEquals(train.map(({ path }) => path), [
      "a/0.png",
      "a/1.png",
      "a/2.png",
      "b/0.png",
      "b/1.png",
      "b/2.png",
    ]);
  });
});

Deno.test("stratify() gives every class its share", () => {
  const labels = Array.from({ length: 111 }, (_, i) => i < 100 ? 0 : i < 109 ? 1 : 2);
  const { rest: left, sample: drawn } = stratify(labels, 3, 0.2, 0);
  const count = (indices: number[], label: number): number =>
    indices.filter((i) => labels[i] === label).length;
  assertEquals([0, 1, 2].map((label) => count(drawn, label)), [20, 2, 1]);
  assertEquals([...left, ...drawn].sort((a, b) => a - b), labels.map((_, i) => i));
  assertEquals(stratify(labels, 3, 0.2, 0), { rest: left, sample: drawn });
  assertNotEquals(stratify(labels, 3, 0.2, 1).sample, drawn);
  assertEquals(stratify([0, 0, 1, 1], 2, 1, 0).rest.length, 2, "one of each class is left");
});

Deno.test("loadDataset() refuses a folder that is not there, and a file", async () => {
  await assertRejects(
    () => loadDataset("./no/such/folder"),
    Error,
    'folder "./no/such/folder" as there is no such folder',
  );
  await inFolder({ "file": "" }, async (folder) => {
    await assertRejects(() => loadDataset(`${folder}/file`), Error, "as it is a file");
  });
});
