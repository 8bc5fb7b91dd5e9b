import { assert, assertEquals, assertLess } from "@std/assert";
import { readIdx } from "../train/dataset/idx.ts";
import { decodePicture } from "../shared/decode/picture.ts";
import { Classifier } from "../shared/inference/classifier.ts";
import { readOnnx } from "../shared/onnx/read.ts";
import { writeOnnx } from "../shared/onnx/write.ts";

async function fixture(name: string): Promise<Uint8Array<ArrayBuffer>> {
  return await Deno.readFile(new URL(`../fixtures/${name}`, import.meta.url));
}

async function decode(name: string): ReturnType<typeof decodePicture> {
  return await decodePicture(await fixture(name), { maxPixels: 96 * 96 });
}

/** Red, green and blue, whatever else there is. */
function colours({ channels, data }: { channels: number; data: Uint8Array }): Uint8Array {
  return channels === 3 ? data : data.filter((_, i) => i % channels < 3);
}

Deno.test("decodePicture() reads the same pixels from PNG and lossless WebP, and nearly the same from JPEG", async () => {
  const [png, jpeg, webp] = await Promise.all([
    decode("shirt.png"),
    decode("shirt.jpg"),
    decode("shirt.webp"),
  ]);
  for (const { width, height } of [png, jpeg, webp]) assertEquals([width, height], [96, 96]);
  const expected = colours(png);
  assertEquals(expected.subarray(0, 3), new Uint8Array([255, 255, 255]));
  assertEquals(expected.subarray((48 * 96 + 48) * 3, (48 * 96 + 48) * 3 + 3), new Uint8Array([24, 40, 96]));
  assertEquals(colours(webp), expected);
  const difference = colours(jpeg).reduce((sum, value, i) => sum + Math.abs(value - expected[i]!), 0);
  assertLess(difference / expected.length, 2);
});

Deno.test("the shipped model sees a T-shirt in the picture of one, in every format", async () => {
  const model = await Deno.readFile(new URL("../shared/artifacts/fashion-mnist/model.onnx", import.meta.url));
  const classifier = await Classifier.load(model);
  // What JPEG loses makes a shirt of it nearly as likely.
  for (const [name, rank] of [["shirt.png", 1], ["shirt.webp", 1], ["shirt.jpg", 2]] as const) {
    const labels = (await classifier.classify(await fixture(name))).map(({ label }) => label);
    assertEquals(labels.length, 3);
    assert(labels.slice(0, rank).includes("T-shirt/top"), `${name}: ${labels}`);
  }
  await classifier.close();
});

Deno.test("readOnnx() reads a file that the onnx package wrote", async () => {
  const model = readOnnx(await fixture("linear.onnx"));
  assertEquals(model.producer.name, "onnx");
  assertEquals(model.metadata, new Map([["author", "fixtures/make.py"]]));
  assertEquals(model.nodes.map(({ op }) => op), ["Gemm", "Softmax"]);
  assertEquals(model.nodes[0]!.attributes.find(({ name }) => name === "alpha")?.value, 1);
  assertEquals(model.inputs.map(({ name, shape }) => [name, shape]), [["x", ["batch", 3]]]);
  const values = model.initializers.map(({ name, dims, data }) => [name, dims, [...data]]);
  assertEquals(values, [["weight", [2, 3], [0, 0.25, 0.5, 0.75, 1, 1.25]], ["bias", [2], [0.5, -0.5]]]);
  assertEquals(readOnnx(writeOnnx(model)), model);
});

Deno.test("readIdx() reads a file that gzip packed", async () => {
  const name = "images.idx.gz";
  const { dims, data } = await readIdx({ name, bytes: await fixture(name) }, 3);
  assertEquals(dims, [3, 2, 2]);
  assert(data.every((value, i) => value === 20 * i));
  assertEquals(data.length, 12);
});
