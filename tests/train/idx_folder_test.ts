import { InputError } from "../../shared/errors.ts";
import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import fc from "fast-check";
import { type DatasetOptions, loadDataset } from "../../train/dataset/mod.ts";
import { parseLabels, readLabels } from "../../train/dataset/label_file.ts";
import { idx, idxFiles } from "../helpers/idx_files.ts";
import { inFolder } from "../helpers/picture_folder.ts";

// Ten images of 8×8, each with its number in the top right corner.
const LABELS = Uint8Array.of(0, 1, 2, 0, 1, 2, 0, 1, 2, 2);
const IMAGES = new Uint8Array(640);
for (let i = 0; i < 10; i++) IMAGES[i * 64 + 7] = i + 1;
const SMALL = { side: 8 };

async function assertRefused(
  files: Record<string, Uint8Array>,
  options: DatasetOptions,
  message: string,
): Promise<void> {
  await inFolder(files, async (folder) => {
    const error = await assertRejects(() => loadDataset(folder, options), InputError);
    assertStringIncludes(`${error.message}. ${error.hint}`, message);
  });
}

Deno.test("an IDX set is found by the names of its files, whichever of them are packed", async () => {
  const packed = idxFiles("", IMAGES, LABELS, SMALL);
  const plain = {
    "train-images.idx3-ubyte": idx([10, 8, 8], IMAGES),
    "train-labels-idx1-ubyte": idx([10], LABELS),
    "test-images-idx3-ubyte": idx([10, 8, 8], IMAGES),
    "test-labels-idx1-ubyte": idx([10], LABELS),
  };
  for (const files of [packed, plain, idxFiles("kuzushiji-", IMAGES, LABELS, { ...SMALL, test: "test" })]) {
    await inFolder(files, async (folder) => {
      const { train, test, labels, channels, height, width, splitSeed } = await loadDataset(folder);
      assertEquals([labels, channels, height, width, splitSeed], [["0", "1", "2"], 1, 8, 8, undefined]);
      assertEquals([train.images, [...test.labels]], [IMAGES, [...LABELS]]);
    });
  }
});

Deno.test("an IDX set without test files is split by class", async () => {
  const { "train-images-idx3-ubyte.gz": images, "train-labels-idx1-ubyte.gz": labels } = idxFiles(
    "",
    IMAGES,
    LABELS,
    SMALL,
  );
  const files = { "train-images-idx3-ubyte.gz": images!, "train-labels-idx1-ubyte.gz": labels! };
  await inFolder(files, async (folder) => {
    const { train, test, splitSeed } = await loadDataset(folder);
    assertEquals([train.count, [...test.labels].sort(), splitSeed], [7, [0, 1, 2], 0]);
    // Each image still goes with its label.
    for (const { images, labels, count } of [train, test]) {
      for (let i = 0; i < count; i++) assertEquals(labels[i], LABELS[images[i * 64 + 7]! - 1]);
    }
  });
});

Deno.test("names for an IDX set's classes are used", async () => {
  await inFolder(idxFiles("", IMAGES, LABELS, SMALL), async (folder) => {
    assertEquals((await loadDataset(folder, { labels: ["x", "y", "z"] })).labels, ["x", "y", "z"]);
  });
});

Deno.test("EMNIST is turned upright, and its labels may count from 1", async () => {
  const fromOne = LABELS.map((label) => label + 1);
  await inFolder(idxFiles("emnist-letters-", IMAGES, fromOne, { ...SMALL, test: "test" }), async (folder) => {
    const { train, labels } = await loadDataset(folder);
    assertEquals(labels, ["1", "2", "3"]);
    assertEquals([...train.labels], [...LABELS]);
    // The top right corner was the bottom left one.
    assertEquals([train.images[7], train.images[56]], [0, 1]);
    assertEquals((await loadDataset(folder, { labels: ["a", "b", "c"] })).train.labels, LABELS);
    // A name for 0 too.
    assertEquals((await loadDataset(folder, { labels: ["none", "a", "b", "c"] })).train.labels, fromOne);
  });
});

Deno.test("an IDX set that cannot be used is refused with a hint", async (t) => {
  const good = idxFiles("", IMAGES, LABELS, SMALL);
  const without = (name: string): Record<string, Uint8Array> =>
    Object.fromEntries(Object.entries(good).filter(([key]) => !key.startsWith(name)));
  const cases: [string, Record<string, Uint8Array>, DatasetOptions, string][] = [
    [
      "no labels",
      without("train-labels"),
      {},
      "it has only the test images, the test labels, the train images",
    ],
    ["half a test split", without("t10k-labels"), {}, "an IDX set must have images and labels"],
    [
      "two sets",
      { ...good, ...idxFiles("emnist-digits-", IMAGES, LABELS, SMALL) },
      {},
      'those of "emnist-digits-train…", "train…"',
    ],
    ["one class", idxFiles("", IMAGES, new Uint8Array(10), SMALL), {}, "at least 2 classes: there is 1"],
    ["too few names", good, { labels: ["x", "y"] }, "one for each of the 3 classes"],
    ["another size", good, { imageSize: 28 }, "current size is 8×8. Omit --image-size"],
    ["colour", good, { channels: 3 }, "IDX images are grey. Omit --channels"],
    [
      "tiny images",
      idxFiles("", IMAGES.subarray(0, 490), LABELS, { side: 7 }),
      {},
      "must be in 8..256: current size is 7×7",
    ],
    [
      "a test label too high",
      {
        ...good,
        "t10k-labels-idx1-ubyte.gz": idxFiles(
          "",
          IMAGES,
          LABELS.map((label) => label * 2),
          SMALL,
        )["t10k-labels-idx1-ubyte.gz"]!,
      },
      {},
      "labels must be in 0..2: current value at index 2 is 4",
    ],
    [
      "a broken file",
      { ...good, "train-images-idx3-ubyte.gz": Uint8Array.of(1, 2, 3) },
      {},
      "a .gz file must start with 0x1f8b",
    ],
  ];
  for (const [name, files, options, message] of cases) {
    await t.step(name, async () => await assertRefused(files, options, message));
  }
});

Deno.test("parseLabels() reads lines and JSON", () => {
  assertEquals(parseLabels("\uFEFFeins\r\nzwei \r\n\r\n", "x"), ["eins", "zwei"]);
  assertEquals(parseLabels(' ["[a", "b,c"]\n', "x"), ["[a", "b,c"]);
  assertEquals(parseLabels("e\u0301\nA\na", "x"), ["\u00e9", "A", "a"]);
});

Deno.test("parseLabels() gives back what was written, both ways", () => {
  const names = fc.uniqueArray(
    fc.string({ unit: "grapheme", minLength: 1, maxLength: 9 }).map((name) =>
      name.replace(/[\s\uFEFF[]/g, "_").normalize("NFC")
    ),
    { minLength: 2, maxLength: 20 },
  );
  fc.assert(fc.property(names, (names) => {
    assertEquals(parseLabels(names.join("\n"), "x"), names);
    assertEquals(parseLabels(JSON.stringify(names), "x"), names);
  }));
});

Deno.test("parseLabels() refuses what names no classes", async () => {
  const cases: [string, string][] = [
    ["one", "there must be 2 to 1000: current number is 1"],
    ["", "current number is 1"],
    ["a\n\nb", "none may be empty: label 1 is"],
    ["a\nb\na", 'labels 0 and 2 are both "a"'],
    ['["a", "a "]', 'labels 0 and 1 are both "a"'],
    ['["a", " "]', "none may be empty: label 1 is"],
    ['["a", 2]', "one is 2"],
    ['["a", "b"', "one a line, or a JSON array of strings"],
    [Array.from({ length: 1001 }, (_, i) => i).join("\n"), "current number is 1001"],
  ];
  for (const [text, message] of cases) assertThrows(() => parseLabels(text, "x"), Error, message);
  await assertRejects(
    () => readLabels("no-such-file"),
    Error,
    'labels "no-such-file" as there is no such file',
  );
});
