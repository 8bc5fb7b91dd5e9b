import { assert, assertAlmostEquals, assertEquals, assertLess } from "@std/assert";
import { drawSilhouette } from "../../shared/silhouettes/silhouettes.ts";
import { buildPlayground } from "../../serve/playground/build.ts";
import { pageFile } from "../../serve/playground/files.ts";
import { ORT_WASM, ROOM } from "../../serve/playground/names.ts";
import { curlFor, fitsCommandLine } from "../../serve/playground/source/curl.ts";
import { type HeatMap, heatMaps } from "../../serve/playground/source/heat_map.ts";
import type { Answer, Runner } from "../../serve/playground/source/runner.ts";
import { SAMPLES } from "../../serve/playground/source/sample_labels.ts";
import { certainty } from "../../serve/playground/source/show.ts";
import { shippedModel } from "../../serve/shipped_model.ts";
import { fitImage } from "../../shared/image.ts";
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

Deno.test("the samples that the page begins with are ones that the model knows", async () => {
  const classifier = await Classifier.load(shippedModel);
  assertEquals(SAMPLES.map(([label]) => label), [...classifier.description.labels]);
  for (const [i, [label, seed]] of SAMPLES.entries()) {
    const { probabilities } = await classifier.run(drawSilhouette(i, seed));
    assertEquals(classifier.top(probabilities, 1)[0]![0]!.label, label);
  }
  await classifier.close();
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

Deno.test("curlFor() writes a command for images that fit on a command line", () => {
  const call = curlFor(Uint8Array.of(0, 255), "http://localhost:8000", false);
  assertEquals(
    call,
    "base64 -d <<END | curl http://localhost:8000/v1/classify -H 'content-type: application/octet-stream' " +
      "--data-binary @-\nAP8=\nEND",
  );
  assert(curlFor(Uint8Array.of(0), "http://a", true).includes('-H "authorization: Bearer $KEY"'));
  assert(fitsCommandLine({ channels: 3, height: 128, width: 128 }));
  assert(!fitsCommandLine({ channels: 3, height: 224, width: 224 }));
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
