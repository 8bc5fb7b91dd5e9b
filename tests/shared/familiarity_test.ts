import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { describeModel, FAMILIARITY, METADATA } from "../../shared/contract.ts";
import { InputError } from "../../shared/errors.ts";
import type { Image } from "../../shared/image.ts";
import { Classifier } from "../../shared/inference/classifier.ts";
import { readOnnx } from "../../shared/onnx/read.ts";
import { writeOnnx } from "../../shared/onnx/write.ts";
import { tinyModel } from "../helpers/tiny_model.ts";

Deno.test("a model with the output reports the familiarity of each image of a batch", async () => {
  const classifier = await Classifier.load(tinyModel({ familiarity: true }));
  const scores = await classifier.runScaled(
    new Float32Array([
      ...[0.5, 0.5, 0.5, 0.5, 0.5, 0.5],
      ...[0, 0, 0, 0, 0, 0],
      ...[0, 0.5, 1, 0.5, 0.5, 0.5],
      ...[1e9, 0, 0, 0, 0, 0],
    ]),
  );
  await classifier.close();
  assertEquals([...scores.familiarity!], [1, 0, 0.5, 0]);
  assertEquals(classifier.familiarityOf(scores, 0), { familiarity: 1, unfamiliar: false });
  assertEquals(classifier.familiarityOf(scores, 1), { familiarity: 0, unfamiliar: true });
});

Deno.test("classify() marks every class of an unfamiliar picture", async () => {
  const classifier = await Classifier.load(tinyModel({ familiarity: true }));
  const picture = (values: number[]): Image => ({
    width: 3,
    height: 2,
    channels: 1,
    data: new Uint8Array(values),
  });
  const grey = await classifier.classify(picture([127, 128, 127, 128, 127, 130]), { crop: false });
  const black = await classifier.classify(picture([0, 0, 0, 0, 0, 1]), { crop: false });
  await classifier.close();
  assertEquals(grey.map(({ unfamiliar }) => unfamiliar), [false, false, false]);
  assertAlmostEquals(grey[0]!.familiarity!, 1, 1e-3);
  assertEquals(black.map(({ unfamiliar, familiarity }) => [unfamiliar, familiarity]), [
    [true, 0],
    [true, 0],
    [true, 0],
  ]);
});

Deno.test("a model without the output has no familiarity", async () => {
  const classifier = await Classifier.load(tinyModel());
  const scores = await classifier.run(new Uint8Array(6));
  assertEquals("familiarity" in scores, false);
  assertEquals(classifier.familiarityOf(scores, 0), undefined);
  assertEquals("familiarity" in classifier.description, false);
  const [best] = await classifier.classify(
    { width: 3, height: 2, channels: 1, data: new Uint8Array([0, 9, 0, 0, 9, 0]) },
    { crop: false },
  );
  await classifier.close();
  assertEquals(Object.keys(best!), ["label", "classIndex", "score"]);
});

Deno.test("a model describes its familiarity and its validation images", async () => {
  const { familiarity, reference, labels } = await describeModel(tinyModel({ familiarity: true }));
  assertEquals(familiarity, { threshold: 0.05, kept: 0.95, validation: { images: 100, kept: 0.95 } });
  assertEquals(reference!.classes.length, labels.length);
  for (const histogram of [reference!.confidence, reference!.classes, reference!.familiarity!]) {
    assertEquals(histogram.reduce((a, b) => a + b), reference!.images);
  }
});

Deno.test("describeModel() rejects a familiarity without a threshold in 0..1", async () => {
  for (const value of [undefined, "{}", '{"threshold": 1.5}', '{"threshold": "0.05"}', "null"]) {
    const model = readOnnx(tinyModel({ familiarity: true }));
    if (value === undefined) model.metadata.delete(METADATA.familiarity);
    else model.metadata.set(METADATA.familiarity, value);
    const error = await assertRejects(() => describeModel(writeOnnx(model)), InputError, "threshold in 0..1");
    assertEquals(error.code, "unsupported");
  }
});

Deno.test("describeModel() rejects a familiarity of another shape than [N]", async () => {
  for (const shape of [["N", 1], [1]]) {
    const model = readOnnx(tinyModel({ familiarity: true }));
    model.outputs.find(({ name }) => name === FAMILIARITY)!.shape = shape;
    await assertRejects(() => describeModel(writeOnnx(model)), InputError, "must have the shape [N]");
  }
});

Deno.test("metadata about a familiarity means nothing without the output", async () => {
  const model = readOnnx(tinyModel());
  model.metadata.set(METADATA.familiarity, '{"threshold": 0.05}');
  const { familiarity } = await describeModel(writeOnnx(model));
  assert(familiarity === undefined);
});
