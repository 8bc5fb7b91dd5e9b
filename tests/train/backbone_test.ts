import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { INPUT } from "../../shared/contract.ts";
import { InputError } from "../../shared/errors.ts";
import { createSession } from "../../shared/inference/ort.ts";
import { Random } from "../../shared/random.ts";
import { type Backbone, FEATURES, prepareBackbone, type Store } from "../../train/backbone/backbone.ts";
import { extractFeatures } from "../../train/backbone/extract.ts";
import { parseNetwork, readNetwork, writeNetwork } from "../../train/backbone/network.ts";
import { openBackbone } from "../../train/backbone/open.ts";
import { fetchBackbone, IMAGENET } from "../../train/backbone/registry.ts";
import { dequantize, quantize } from "../../train/backbone/store.ts";
import { viewOf, VIEWS } from "../../train/backbone/views.ts";
import { sha256 } from "../../train/dataset/digest.ts";
import { type TinyNetwork, tinyNetwork } from "../helpers/tiny_network.ts";

const PLAIN = { mean: [0, 0, 0], deviation: [1, 1, 1] } as const;
const ORIGIN = { name: "tiny", fileSha256: "0".repeat(64) };

/** Through bytes, as a file would be read. */
async function prepare(
  network: TinyNetwork,
  options: { store?: Store; features?: string[]; normalization?: typeof IMAGENET } = {},
): Promise<Backbone> {
  const model = parseNetwork(writeNetwork(tinyNetwork(network)), "tiny");
  return await prepareBackbone(model, ORIGIN, { normalization: PLAIN, store: "float32", ...options });
}

async function run(
  model: Uint8Array,
  input: string,
  output: string,
  pixels: Float32Array,
): Promise<Float32Array> {
  const session = await createSession(model);
  try {
    return (await session.run(input, pixels, [pixels.length / 192, 3, 8, 8]))[output]!;
  } finally {
    await session.release();
  }
}

function pixelsOf(count: number): Float32Array {
  const random = new Random(3);
  return Float32Array.from({ length: count * 192 }, () => random.uniform());
}

function assertClose(actual: Float32Array, expected: Float32Array, tolerance = 1e-5): void {
  assertEquals(actual.length, expected.length);
  actual.forEach((value, i) => assertAlmostEquals(value, expected[i]!, tolerance));
}

/** What the features of a tiny network must be: its pooled last activation, and that of the level before. */
async function expected(network: TinyNetwork, pixels: Float32Array): Promise<Float32Array> {
  const { opset = 17 } = network;
  const model = tinyNetwork({ end: "spatial", opset });
  delete (model.graph!.output[0] as { type?: unknown }).type;
  const two = parseNetwork(writeNetwork(model), "two");
  two.graph!.output.push({ ...two.graph!.output[0]!, name: "act1" });
  const bytes = writeNetwork(two);
  const [top, below] = [
    await run(bytes, "pixels", "act2", pixels),
    await run(bytes, "pixels", "act1", pixels),
  ];
  const count = pixels.length / 192;
  const pooled = (values: Float32Array, channels: number, i: number, c: number): number => {
    const area = values.length / count / channels;
    const plane = values.subarray((i * channels + c) * area, (i * channels + c + 1) * area);
    return plane.reduce((sum, value) => sum + value, 0) / area;
  };
  return Float32Array.from({ length: count * 14 }, (_, at) => {
    const i = Math.floor(at / 14), c = at % 14;
    return c < 8 ? pooled(top, 8, i, c) : pooled(below, 6, i, c - 8);
  });
}

for (
  const [name, network] of [
    ["of an embedding [N, D]", { end: "features" }],
    ["of a classifier, without its head", { end: "classifier" }],
    ["of a spatial output [N, C, h, w], pooled", { end: "spatial" }],
    ["with operator set 11", { end: "classifier", opset: 11 }],
    ["with operator set 21", { end: "classifier", opset: 21 }],
    ["exported for a batch of 1", { end: "classifier", batch: 1 }],
  ] as [string, TinyNetwork][]
) {
  Deno.test(`prepareBackbone() gives the features of two levels ${name}`, async () => {
    const backbone = await prepare(network);
    assertEquals(backbone.size, 14);
    assertEquals(backbone.cut, network.end === "classifier");
    assertEquals(backbone.input, { channels: 3, height: 8, width: 8 });
    const pixels = pixelsOf(3);
    assertClose(await run(backbone.bytes, INPUT, FEATURES, pixels), await expected(network, pixels));
  });
}

Deno.test("prepareBackbone() widens float16 to float32", async () => {
  const pixels = pixelsOf(2);
  const features = await run(
    (await prepare({ end: "classifier", float16: true })).bytes,
    INPUT,
    FEATURES,
    pixels,
  );
  // Weights of half precision have eleven bits.
  assertClose(features, await expected({ end: "classifier" }, pixels), 0.01);
});

Deno.test("prepareBackbone() folds the normalization in", async () => {
  const pixels = pixelsOf(2);
  const { bytes } = await prepare({ end: "features" }, { normalization: IMAGENET });
  const normalized = pixels.map((value, i) => {
    const channel = Math.floor(i / 64) % 3;
    return (value - IMAGENET.mean[channel]!) / IMAGENET.deviation[channel]!;
  });
  assertClose(await run(bytes, INPUT, FEATURES, pixels), await expected({ end: "features" }, normalized));
});

Deno.test("prepareBackbone() takes the tensors that were asked for, and lists them when there is none such", async () => {
  const backbone = await prepare({ end: "classifier" }, { features: ["act1"] });
  assertEquals(backbone.features, [{ name: "act1", operator: "Relu", shape: [6, 8, 8] }]);
  const error = await assertRejects(() => prepare({ end: "classifier" }, { features: ["act9"] }), InputError);
  assert(
    error.message.includes('there is no "act9"') && error.message.includes("act1 Relu [6, 8, 8]"),
    error.message,
  );
});

Deno.test("prepareBackbone() refuses an operator that ONNX Runtime lacks, before any training", async () => {
  const error = await assertRejects(() => prepare({ end: "features", operator: "Frobnicate" }), InputError);
  assertEquals(error.code, "unsupported");
  assert(error.message.includes("Frobnicate"), error.message);
});

Deno.test("parseNetwork() refuses an operator set before 11 and bytes that are no ONNX", () => {
  for (const bytes of [writeNetwork(tinyNetwork({ end: "features", opset: 9 })), Uint8Array.of(1, 2, 3)]) {
    let thrown: unknown;
    try {
      parseNetwork(bytes, "old");
    } catch (error) {
      thrown = error;
    }
    assert(thrown instanceof InputError, `must be refused: ${thrown}`);
  }
});

Deno.test("readNetwork() reads external data, within the folder only", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const model = tinyNetwork({ end: "features" });
    const tensor = model.graph!.initializer[1]!;
    await Deno.writeFile(join(folder, "weights.bin"), Uint8Array.from([9, 9, 9, 9, ...tensor.rawData]));
    const length = tensor.rawData.length;
    const file = join(folder, "model.onnx");
    const save = async (location: string, offset = 4): Promise<void> => {
      const entries = { location, offset: String(offset), length: String(length) };
      const outside = parseNetwork(writeNetwork(model), "copy");
      const moved = outside.graph!.initializer[1]!;
      moved.rawData = new Uint8Array();
      moved.dataLocation = 1;
      moved.externalData = Object.entries(entries).map(([key, value]) => ({
        ...outside.opsetImport[0]!,
        $typeName: "onnx.StringStringEntryProto",
        key,
        value,
      })) as typeof moved.externalData;
      await Deno.writeFile(file, writeNetwork(outside));
    };
    await save("weights.bin");
    assertEquals((await readNetwork(file)).graph!.initializer[1]!.rawData, tensor.rawData);
    for (const outside of ["../weights.bin", join(folder, "weights.bin")]) {
      await save(outside);
      await assertRejects(() => readNetwork(file), InputError, "must be in its folder");
    }
    await save("weights.bin", 5);
    await assertRejects(() => readNetwork(file), InputError, `must be within the ${length + 4} bytes`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("quantize() is off by at most half a step, and exact on what it has rounded", () => {
  const random = new Random(2);
  const weights = Float32Array.from({ length: 60 }, (_, i) => (random.uniform() - 0.5) * (i < 20 ? 100 : 1));
  const rounded = dequantize(quantize(weights, [3, 20], 0), [3, 20], 0);
  const { scales } = quantize(weights, [3, 20], 0);
  rounded.forEach((value, i) =>
    assert(Math.abs(value - weights[i]!) <= scales[Math.floor(i / 20)]! * 0.5001)
  );
  assertClose(dequantize(quantize(rounded, [3, 20], 0), [3, 20], 0), rounded, 1e-4);
});

Deno.test("extractFeatures() computes once, finds features by pixels, and adds views", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const backbone = await prepare({ end: "features" });
    const images = Uint8Array.from({ length: 6 * 192 }, (_, i) => (i * 37 + Math.floor(i / 192) * 11) & 255);
    const first = await extractFeatures(backbone, images, { directory });
    assertEquals([first.computed, first.views, first.features.length], [6, 1, 6 * 14]);
    const scaled = Float32Array.from(images, (byte) => byte / 255);
    assertClose(first.features, await run(backbone.bytes, INPUT, FEATURES, scaled));
    // In another order, with one changed.
    const changed = images.slice().reverse();
    assertEquals((await extractFeatures(backbone, images, { directory })).computed, 0);
    assertEquals((await extractFeatures(backbone, changed, { directory })).computed, 6);
    const viewed = await extractFeatures(backbone, images, { directory, views: [VIEWS.mirror] });
    assertEquals([viewed.computed, viewed.views, viewed.features.length], [6, 2, 6 * 28]);
    // Each view has features of its own, those from the cache too.
    const { mirror, corners } = VIEWS;
    const views = [mirror, corners[0]!, corners[1]!];
    for (const computed of [12, 0]) {
      const all = await extractFeatures(backbone, images, { directory, views });
      assertEquals(all.computed, computed);
      for (const [v, view] of [VIEWS.whole, ...views].entries()) {
        const pixels = viewOf(images.subarray(192, 384), { height: 8, width: 8 }, view);
        const expected = await run(
          backbone.bytes,
          INPUT,
          FEATURES,
          Float32Array.from(pixels, (x) => x / 255),
        );
        assertClose(all.features.subarray((4 + v) * 14, (5 + v) * 14), expected);
      }
    }
    // A damaged cache is computed again.
    for await (const { name } of Deno.readDir(directory)) {
      const bytes = await Deno.readFile(join(directory, name));
      bytes[50]! ^= 1;
      await Deno.writeFile(join(directory, name), bytes);
    }
    assertEquals((await extractFeatures(backbone, images, { directory })).computed, 6);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("fetchBackbone() takes the first mirror with the right file, once, and refuses a wrong one", async () => {
  const bytes = new TextEncoder().encode("a network");
  let requests = 0;
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen(): void {} }, ({ url }): Response => {
    requests++;
    const { pathname } = new URL(url);
    if (pathname.startsWith("/gone/")) return new Response(null, { status: 404 });
    return new Response(pathname.startsWith("/wrong/") ? bytes.toReversed() : bytes);
  });
  const directory = await Deno.makeTempDir();
  const origin = `http://127.0.0.1:${server.addr.port}`;
  const named = (mirrors: string[]): Parameters<typeof fetchBackbone>[0] => ({
    file: { name: "net.onnx", size: bytes.length, sha256: sha256(bytes) },
    mirrors: mirrors.map((mirror) => `${origin}/${mirror}/`),
    licence: "Apache-2.0",
    source: origin,
    normalization: IMAGENET,
    imageSize: 8,
    top1: 0,
  });
  try {
    await assertRejects(() => fetchBackbone(named(["gone", "wrong"]), {}, directory), InputError, "SHA-256");
    assertEquals([...Deno.readDirSync(directory)], []);
    const path = await fetchBackbone(named(["gone", "wrong", "good"]), {}, directory);
    assertEquals(await Deno.readFile(path), bytes);
    const before = requests;
    assertEquals(await fetchBackbone(named(["good"]), {}, directory), path);
    assertEquals(requests, before);
  } finally {
    await Deno.remove(directory, { recursive: true });
    await server.shutdown();
  }
});

Deno.test("openBackbone() names the backbones that there are", async () => {
  await assertRejects(() => openBackbone("resnet"), InputError, "default, mobilenetv3-large");
});
