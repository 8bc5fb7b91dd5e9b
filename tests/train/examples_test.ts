import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import { decodePicture } from "../../shared/decode/picture.ts";
import { type Examples, MAX_EXAMPLES_BYTES, parseExamples } from "../../shared/examples.ts";
import { Random } from "../../shared/random.ts";
import { formatExamples, testExamples } from "../../train/report/examples.ts";
import { writeReport } from "../../train/report/write.ts";
import { EXAMPLE_IMAGES as images, exampleRun } from "../helpers/example_run.ts";
import { inTemporaryFolder } from "../helpers/temporary_folder.ts";

async function pixelsOf(example: Examples["images"][number]): Promise<number[]> {
  const { data } = await decodePicture(Uint8Array.fromBase64(example.data), { maxPixels: 1e6 });
  return [...data];
}

Deno.test("testExamples() takes the first test images of each class, class by class", async () => {
  const examples = testExamples(exampleRun(), images, 5);
  // Two of the first two classes, one of the third.
  const indices = [0, 4, 3, 5, 1];
  assertEquals(examples.images.map(({ label }) => label), [
    "round",
    "round",
    "<square>",
    "<square>",
    "a|b_c",
  ]);
  assertEquals(
    await Promise.all(examples.images.map(pixelsOf)),
    indices.map((i) => [...images.test.images.subarray(4 * i, 4 * i + 4)]),
  );
  assertEquals(examples.score, { images: 10, correct: 7 });
  assertEquals(testExamples(exampleRun(), images, 20).images.length, 10, "there are no more");
  assertEquals(parseExamples(formatExamples(examples)), examples);
});

Deno.test("testExamples() shrinks photographs until they fit into the file", async () => {
  const side = 224, count = 20;
  const random = new Random(1);
  // Noise, which JPEG compresses least.
  const photos = Uint8Array.from({ length: count * 3 * side * side }, () => random.below(256));
  const labels = Uint8Array.from({ length: count }, (_, i) => i % 3);
  const examples = testExamples(exampleRun(), {
    test: { images: photos, labels },
    channels: 3,
    height: side,
    width: side,
  }, count);
  assertLessOrEqual(formatExamples(examples).length, MAX_EXAMPLES_BYTES);
  assertEquals(examples.images.length, count);
  const { width, height, channels } = await decodePicture(Uint8Array.fromBase64(examples.images[0]!.data), {
    maxPixels: 1e6,
  });
  assert(width === height && width >= 16 && width < side && channels >= 3, `${width}`);
});

Deno.test("writeReport() writes pictures of one's own data set only on request", async () => {
  await inTemporaryFolder(async (folder) => {
    const places = { folder, private: `${folder}/elsewhere` };
    const without = await writeReport({ run: exampleRun(), images }, places);
    assert(!without.some((file) => file.endsWith("examples.json")));
    await writeReport({ run: exampleRun(), images, examples: 3 }, places);
    const { version, images: shown } = parseExamples(await Deno.readTextFile(`${folder}/examples.json`));
    assertEquals([version, shown.length], [exampleRun().version, 3]);
  });
});
