import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertLess,
  assertLessOrEqual,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { describeModel } from "../../shared/contract.ts";
import { decodePicture } from "../../shared/decode/picture.ts";
import { InputError } from "../../shared/errors.ts";
import { parseExamples } from "../../shared/examples.ts";
import { drawSilhouette, drawSilhouettes } from "../../shared/silhouettes/silhouettes.ts";
import { buildPlayground } from "../../serve/playground/build.ts";
import { pageFile } from "../../serve/playground/files.ts";
import { ORT_WASM, ROOM } from "../../serve/playground/names.ts";
import { about } from "../../serve/playground/about.ts";
import { LANGUAGES } from "../../serve/playground/source/code.ts";
import { nameOfExample } from "../../serve/playground/source/example_name.ts";
import { see } from "../../serve/playground/source/see.ts";
import { type HeatMap, heatMaps } from "../../serve/playground/source/heat_map.ts";
import type { Answer, Runner } from "../../serve/playground/source/runner.ts";
import { certainty, confidenceWord } from "../../serve/playground/source/certainty.ts";
import { shippedFiles } from "../../serve/shipped_files.ts";
import { shippedModel } from "../../serve/shipped_model.ts";
import { fitImage, type Image } from "../../shared/image.ts";
import { Classifier } from "../../shared/inference/classifier.ts";
import { tinyModel } from "../helpers/tiny_model.ts";

const HERE = new URL("../../serve/playground/", import.meta.url);

Deno.test("the playground in git is what deno task build:playground makes of the source", async () => {
  const built = await buildPlayground();
  const kept = [...Deno.readDirSync(new URL("assets/", HERE))].map(({ name }) => name);
  assertEquals(kept.sort(), [...built.keys()].sort());
  for (const [name, text] of built) {
    assert(await Deno.readTextFile(new URL(`assets/${name}`, HERE)) === text, `${name} is another`);
  }
});

Deno.test("the name of ONNX Runtime's program has its version, and Cloudflare has the same file", async () => {
  const { imports } = JSON.parse(await Deno.readTextFile(new URL("../../deno.json", HERE)));
  assertEquals(`npm:onnxruntime-web@${/ort-(.+)\.wasm/.exec(ORT_WASM)![1]}`, imports["onnxruntime-web"]);
  const onDeno = await pageFile(ORT_WASM);
  const onCloudflare = await Deno.readFile(new URL(`cloudflare${ROOM}${ORT_WASM}`, HERE));
  assert(onDeno!.body instanceof Uint8Array);
  assertEquals(onDeno!.body.length, onCloudflare.length);
  // https://developers.cloudflare.com/workers/platform/limits/#static-assets, as of November 2026
  assertLess(onCloudflare.length, 25 * 1024 * 1024);
});

Deno.test("fitImage() without cropping keeps the margin and the place of things", () => {
  // A black dot in the upper left corner of a white square.
  const data = new Uint8Array(16 * 16).fill(255);
  for (const i of [0, 1, 16, 17]) data[i] = 0;
  const image = { width: 16, height: 16, channels: 1 as const, data };
  const target = { width: 8, height: 8 };
  assertEquals([...fitImage(image, { ...target, crop: false })], [255, ...Array(63).fill(0)]);
  assertEquals(fitImage(image, target).every((value) => value === 255), true, "cropped, it is all there is");
  const blank = fitImage({ ...image, data: new Uint8Array(256).fill(7) }, { ...target, crop: false });
  assertEquals([...blank], Array(64).fill(0));
});

Deno.test("the script and the style of the page have 45 kB together, minified, before compression", async () => {
  let bytes = 0;
  for (const name of ["main.js", "style.css"]) {
    bytes += (await Deno.stat(new URL(`assets/${name}`, HERE))).size;
  }
  assertLessOrEqual(bytes, 45_000);
});

Deno.test("the shipped examples are the first drawings of each class, with the score of all of them", async () => {
  const { version, score, images, note } = parseExamples(shippedFiles.examples!);
  const classifier = await Classifier.load(shippedModel);
  const { labels } = classifier.description;
  assertEquals(version, classifier.description.version);
  assertStringIncludes(note, "not selected");
  const drawings = drawSilhouettes(score.images, 3);
  const tops = classifier.top((await classifier.run(drawings.images)).probabilities, 1);
  const correct = tops.filter(([top], i) => top!.classIndex === drawings.labels[i]).length;
  assertEquals(score.correct, correct);
  const first = labels.flatMap((_, c) =>
    [...drawings.labels.keys()].filter((i) => drawings.labels[i] === c).slice(0, 2)
  );
  assertEquals(images.map(({ label }) => label), first.map((i) => labels[drawings.labels[i]!]));
  for (const [at, { data }] of images.entries()) {
    const { data: pixels } = await decodePicture(Uint8Array.fromBase64(data), { maxPixels: 784 });
    const i = first[at]!;
    assertEquals([...pixels], [...drawings.images.subarray(784 * i, 784 * (i + 1))]);
  }
  await classifier.close();
});

Deno.test("parseExamples() rejects what the page could not show", () => {
  const good = { version: "a", note: "b", score: { images: 2, correct: 1 }, images: [] };
  assertEquals(parseExamples(JSON.stringify(good)), good);
  const bad: [unknown, string][] = [
    [{ ...good, score: {} }, "must have a version"],
    [{ ...good, images: [{ label: "a", type: "text/html", data: "" }] }, "must have a version"],
    [null, "must have a version"],
    [{ ...good, note: "x".repeat(70_000) }, "must have at most 64000 bytes"],
  ];
  for (const [value, message] of bad) {
    assertThrows(() => parseExamples(JSON.stringify(value)), InputError, message);
  }
  assertThrows(() => parseExamples("{"), InputError, "is not JSON");
});

/** The heat maps of some pixels, if an image took so many ms, and the number of images of each batch. */
async function mapsOf(
  classifier: Classifier,
  pixels: Uint8Array<ArrayBuffer>,
  classIndex: number,
  { imageMs = 0, isCurrent = (): boolean => true } = {},
): Promise<{ maps: HeatMap[]; batches: number[] }> {
  const batches: number[] = [];
  const runner: Runner = {
    batchMs: 250,
    async run(pixels): Promise<Answer> {
      const { logits, probabilities } = await classifier.run(pixels);
      const count = pixels.length / classifier.imageSize;
      batches.push(count);
      return { logits: logits.slice(), probabilities: probabilities.slice(), ms: count * imageMs };
    },
  };
  const answer = await runner.run(pixels);
  const subject = { pixels, shape: classifier.description.input, answer, classIndex };
  const maps = await Array.fromAsync(heatMaps(runner, subject, isCurrent));
  return { maps, batches: batches.slice(1) };
}

Deno.test("heatMaps() finds the pixels that a label depends on, in one batch", async () => {
  // Images are 3×2 pixels, and each logit is the sum of one column.
  const classifier = await Classifier.load(tinyModel());
  const pixels = Uint8Array.of(0, 255, 0, 0, 255, 0);
  const { maps: [map], batches } = await mapsOf(classifier, pixels, 1);
  assertEquals([map!.width, map!.height, batches], [3, 2, [6]]);
  const { cells } = map!;
  // The border's median is 0, so hiding the middle column takes from its label.
  assert(cells[1]! > 0 && cells[1]! > cells[0]!, `${cells}`);
  const { maps: [other] } = await mapsOf(classifier, pixels, 0);
  assert(other!.cells[1]! < 0, "and gives to the others");
  const { maps: [blank] } = await mapsOf(classifier, new Uint8Array(6), 1);
  for (const value of blank!.cells) assertAlmostEquals(value, 0, 1e-6);
  await classifier.close();
});

Deno.test("heatMaps() gives what hiding a square by hand gives", async () => {
  const classifier = await Classifier.load(shippedModel);
  const pixels = drawSilhouette(8, 6);
  const { maps } = await mapsOf(classifier, pixels, 8);
  assertEquals(maps.map(({ width, height }) => [width, height]), [[14, 14]]);
  const odds = async (image: Uint8Array): Promise<number> => {
    const { logits } = await classifier.run(image);
    const others = [...logits].filter((_, i) => i !== 8);
    return logits[8]! - Math.log(others.reduce((sum, logit) => sum + Math.exp(logit), 0));
  };
  const whole = await odds(pixels);
  // The cell (5, 6) has the pixels 10 and 11 across and 12 and 13 down, and one more on each side is hidden.
  const hidden = pixels.slice();
  for (let y = 11; y < 15; y++) hidden.fill(0, y * 28 + 9, y * 28 + 13);
  assertAlmostEquals(maps[0]!.cells[6 * 14 + 5]!, whole - await odds(hidden), 1e-3);
  await classifier.close();
});

Deno.test("heatMaps() begins with a coarse grid where an image takes long, in short batches", async () => {
  const classifier = await Classifier.load(shippedModel);
  const pixels = drawSilhouette(8, 6);
  const sizes = async (imageMs: number): Promise<unknown> => {
    const { maps, batches } = await mapsOf(classifier, pixels, 8, { imageMs });
    return [maps.map(({ width }) => width), Math.max(...batches)];
  };
  assertEquals(await sizes(5), [[14], 50]);
  assertEquals(await sizes(40), [[5, 9], 6]);
  assertEquals(await sizes(400), [[3], 1]);
  await classifier.close();
});

Deno.test("heatMaps() ends after the batch in which the picture changes", async () => {
  const classifier = await Classifier.load(shippedModel);
  const options = { imageMs: 40, isCurrent: (): boolean => false };
  const { maps, batches } = await mapsOf(classifier, drawSilhouette(8, 6), 8, options);
  assertEquals([maps, batches], [[], [6]]);
  await classifier.close();
});

Deno.test("the code quotes names of files as each language does", () => {
  const options = { origin: "http://a", needsKey: false, file: { name: 'it\'s "x".png', type: "image/png" } };
  assertStringIncludes(LANGUAGES["curl"]!.code(options), `--data-binary @'it'\\''s "x".png'`);
  assertStringIncludes(LANGUAGES["python"]!.code(options), 'open("it\'s \\"x\\".png", "rb")');
  const broken = { ...options, file: { name: "a\nalert(1)", type: "image/png" } };
  assertStringIncludes(LANGUAGES["fetch"]!.code(broken), "// a alert(1), chosen");
});

Deno.test("nameOfExample() makes a name that every shell takes", () => {
  assertEquals(nameOfExample({ label: "T-shirt/top", type: "image/png" }, 0).name, "t-shirt-top-1.png");
  assertEquals(nameOfExample({ label: "/../ ", type: "image/jpeg" }, 4).name, "example-5.jpg");
  assertEquals(nameOfExample({ label: "חולצה", type: "image/jpeg" }, 1).name, "חולצה-2.jpg");
});

Deno.test("see() says what was cropped and inverted", () => {
  const model = { input: { channels: 1, height: 28, width: 28 }, preprocessing: "grey-on-black-2" as const };
  const options = { crop: true, invert: false };
  const picture = (width: number, sample: (x: number, y: number) => number): Image => ({
    width,
    height: width,
    channels: 1,
    data: Uint8Array.from({ length: width ** 2 }, (_, i) => sample(i % width, Math.floor(i / width))),
  });
  const inside = (x: number, y: number): boolean => x >= 25 && x < 75 && y >= 25 && y < 75;
  const dark = see(picture(100, (x, y) => inside(x, y) ? x : 250), model, options);
  assertEquals(
    dark.text,
    "Cropped to 25 % of the picture. Inverted to bright on black, as the training images are.",
  );
  assertEquals(
    see(picture(100, (x, y) => inside(x, y) ? 250 - x : 10), model, options).text,
    "Cropped to 25 % of the picture.",
  );
  assertEquals(see(picture(28, (x) => x), model, options).text, "Used as it is: it has the model's size.");
  const uncropped = see(picture(100, (x, y) => inside(x, y) ? 250 - x : 10), model, {
    ...options,
    crop: false,
  });
  assertEquals(uncropped.text, "Not cropped, as the option is off.");
  const busy = see(picture(100, (x, y) => (x * 37 + y * 91) % 256), model, options);
  assertStringIncludes(busy.text, "Nothing could be cropped");
  assertEquals(see(picture(100, () => 200), model, options), {
    pixels: new Uint8Array(784),
    isBlank: true,
    text: "",
  });
});

Deno.test("about() claims nothing that the description does not say", async () => {
  const shipped = await describeModel(shippedModel);
  const { title, training } = about(shipped);
  assertEquals(title, "Fashion-MNIST");
  assertStringIncludes(training, "trained on Fashion-MNIST (small grey product photos");
  assertStringIncludes(training, "of 10,000 test images correctly");
  const { provenance, metrics: _, ...rest } = shipped;
  // Another data set of the same name.
  const dataset = { name: "fashion-mnist", sha256: "0".repeat(64) };
  const other = about({ ...rest, name: "my_shoes-2", provenance: { ...provenance, dataset } });
  assertEquals([other.title, other.training], ["My shoes 2", ", trained on “fashion-mnist”."]);
  assertEquals(about({ ...rest, provenance: {} }).training, ".");
  const thousand = about({ ...rest, labels: Array.from({ length: 1000 }, (_, i) => `${i}`), provenance: {} });
  assertEquals([thousand.labels.length, thousand.more], [12, 988]);
});

Deno.test("certainty() does not call sure what is not", () => {
  assertEquals([0, 0.1234, 0.9994, 0.99951, 1].map(certainty), [
    "0.0 %",
    "12.3 %",
    "99.9 %",
    "> 99.9 %",
    "100.0 %",
  ]);
});

Deno.test("confidenceWord() has three words", () => {
  assertEquals([0.95, 0.7, 0.3].map(confidenceWord), [
    "High confidence",
    "Medium confidence",
    "Low confidence",
  ]);
});
