import { assert, assertAlmostEquals, assertEquals, assertLess } from "@std/assert";
import { drawSilhouette } from "../../shared/silhouettes/silhouettes.ts";
import { buildPlayground } from "../../serve/playground/build.ts";
import { pageFile } from "../../serve/playground/files.ts";
import { ORT_WASM, ROOM } from "../../serve/playground/names.ts";
import { curlFor } from "../../serve/playground/source/curl.ts";
import { heatMap } from "../../serve/playground/source/heat_map.ts";
import { SAMPLES } from "../../serve/playground/source/sample_labels.ts";
import { certainty } from "../../serve/playground/source/show.ts";
import { shippedModel } from "../../serve/shipped_model.ts";
import { fitImage } from "../../shared/image.ts";
import { Classifier, type Scores } from "../../shared/inference/classifier.ts";
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

Deno.test("heatMap() is what hiding each pixel costs, exactly where the model is a sum of pixels", async () => {
  // Images are 3×2 pixels, and each logit is the sum of one column.
  const classifier = await Classifier.load(tinyModel());
  let batches = 0;
  const runner = {
    async run(pixels: Uint8Array<ArrayBuffer>): Promise<Scores & { ms: number }> {
      batches++;
      return { ...await classifier.run(pixels), ms: 0 };
    },
  };
  const { input } = classifier.description;
  const heat = await heatMap(runner, Uint8Array.of(0, 255, 0, 0, 255, 0), input, 1);
  assertEquals(batches, 1);
  assertEquals(heat.length, 6);
  // The border's median is 0, so hiding the middle column takes from its label.
  assert(heat[1]! > 0 && heat[1]! > heat[0]!, `${heat}`);
  const other = await heatMap(runner, Uint8Array.of(0, 255, 0, 0, 255, 0), input, 0);
  assert(other[1]! < 0, "and gives to the others");
  const blank = await heatMap(runner, new Uint8Array(6), input, 1);
  for (const value of blank) assertAlmostEquals(value, 0, 1e-6);
  await classifier.close();
});

Deno.test("heatMap() says what hiding squares one by one says", async () => {
  const classifier = await Classifier.load(shippedModel);
  const pixels = drawSilhouette(8, 6);
  const heat = await heatMap(
    { run: async (pixels) => ({ ...await classifier.run(pixels), ms: 0 }) },
    pixels,
    classifier.description.input,
    8,
  );
  // The pixel (13, 13) lies under the four squares that begin at 10 or 12 in both directions.
  const odds = async (image: Uint8Array): Promise<number> => {
    const { logits } = await classifier.run(image);
    const others = [...logits].filter((_, i) => i !== 8);
    return logits[8]! - Math.log(others.reduce((sum, logit) => sum + Math.exp(logit), 0));
  };
  const whole = await odds(pixels);
  let sum = 0;
  for (const top of [10, 12]) {
    for (const left of [10, 12]) {
      const hidden = pixels.slice();
      for (let y = top; y < top + 4; y++) hidden.fill(0, y * 28 + left, y * 28 + left + 4);
      sum += whole - await odds(hidden);
    }
  }
  assertAlmostEquals(heat[13 * 28 + 13]!, sum / 4, 1e-3);
  await classifier.close();
});

Deno.test("curlFor() writes a call for any number of pixels", () => {
  const call = curlFor(Uint8Array.of(0, 255), "http://localhost:8000", false);
  assertEquals(
    call,
    "base64 -d <<END | curl http://localhost:8000/v1/classify -H 'content-type: application/octet-stream' " +
      "--data-binary @-\nAP8=\nEND",
  );
  assert(curlFor(Uint8Array.of(0), "http://a", true).includes('-H "authorization: Bearer $KEY"'));
  assert(curlFor(new Uint8Array(200_000), "http://a", false).length < 1000);
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
