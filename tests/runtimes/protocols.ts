/**
 * The part of the suite of requests that is about what the server speaks: pictures, forms, batches, Hugging Face
 * and the Open Inference Protocol.
 *
 * @module
 */
import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertStringIncludes,
} from "@std/assert";
import { encodeJpeg, encodeWebp, type Rgba } from "../helpers/picture_encoders.js";
import { encodePng } from "../helpers/png_encoder.ts";
import type { Send } from "./requests.ts";

const CLASSES = 10;

/** `[28, 28]`: a bright upright box, different for each seed. */
function box(seed: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: 784 }, (_, i) => {
    const x = i % 28, y = Math.floor(i / 28);
    return x >= 6 + seed && x < 20 && y >= 2 && y < 26 - seed ? 120 + seed * 10 + x : 0;
  });
}

/** The same as a picture. */
function picture(seed: number): Rgba {
  const data = Uint8Array.from(box(seed)).values().flatMap((value) => [value, value, value, 255]);
  return { width: 28, height: 28, data: Uint8Array.from(data) };
}

function png(seed: number): Uint8Array<ArrayBuffer> {
  const pixels = box(seed);
  const sample = (x: number, y: number): number => pixels[y * 28 + x]!;
  return encodePng({ width: 28, height: 28, depth: 8, colour: 0, interlaced: false, filters: [1], sample });
}

interface Ranked {
  label: string;
  class_index: number;
  score: number;
}
type Prediction = Ranked & { top: Ranked[]; error?: { status: number; title: string; detail: string } };

async function read<T>(response: Response, status = 200): Promise<T> {
  const text = await response.text();
  assertEquals(response.status, status, text);
  assertEquals(response.headers.get("content-type"), "application/json");
  return JSON.parse(text);
}

/** All classes of the images of some raw bytes: what every other way must agree with. */
async function truth(send: Send, ...seeds: number[]): Promise<Prediction[]> {
  const body = new Blob(seeds.map(box));
  return await classify(send, "application/octet-stream", body);
}

async function classify(send: Send, type: string, body: BodyInit, query = ""): Promise<Prediction[]> {
  const response = await send(`/v1/classify?top_k=10${query}`, {
    method: "POST",
    body,
    headers: type === "" ? {} : { "content-type": type },
  });
  return (await read<{ predictions: Prediction[] }>(response)).predictions;
}

async function assertSame(found: Promise<Prediction[]>, wanted: Prediction[]): Promise<void> {
  const predictions = await found;
  assertEquals(predictions.length, wanted.length);
  for (const [i, prediction] of predictions.entries()) assertSameRanking(prediction.top, wanted[i]!.top);
}

/** The same classes; scores may differ in the last digits, as batches are multiplied in another order. */
function assertSameRanking(found: Ranked[], wanted: Ranked[]): void {
  assertEquals(found.map(({ label }) => label), wanted.map(({ label }) => label));
  for (const [i, { score }] of found.entries()) assertAlmostEquals(score, wanted[i]!.score, 1e-5);
}

function post(send: Send, path: string, json: unknown): Promise<Response> {
  return send(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(json),
  });
}

async function assertError(response: Response, status: number, message: string): Promise<void> {
  const { error, ...rest } = await read<{ error: string }>(response, status);
  assertStringIncludes(error, message);
  assertEquals(rest, {});
}

const V2 = "/v2/models/fashion-mnist";

interface Tensor {
  name: string;
  datatype: string;
  shape: number[];
  data?: number[] | string[];
  parameters?: { binary_data_size: number };
}
interface InferResponse {
  model_name: string;
  model_version: string;
  id?: string;
  outputs: Tensor[];
}

/** A request with box 0 and box 1 as UINT8. */
function two(): { inputs: [Record<string, unknown>] } {
  const data = [...box(0), ...box(1)];
  return { inputs: [{ name: "image", datatype: "UINT8", shape: [2, 784], data }] };
}

/** JSON, then bytes. */
async function infer(
  send: Send,
  json: unknown,
  bytes: Uint8Array<ArrayBuffer>,
  length?: string,
): Promise<Response> {
  const head = new TextEncoder().encode(JSON.stringify(json));
  return await send(`${V2}/infer`, {
    method: "POST",
    headers: {
      "content-type": "application/octet-stream",
      "inference-header-content-length": length ?? String(head.length),
    },
    body: new Blob([head, bytes]),
  });
}

/** Name → request and what must come back. */
export const PROTOCOLS: Record<string, (send: Send) => Promise<void>> = {
  "reads JPEG and WebP of every kind": async (send) => {
    const wanted = await truth(send, 0);
    await assertSame(classify(send, "image/webp", await encodeWebp(picture(0), { lossless: 1 })), wanted);
    for (
      const [type, body] of [
        ["image/webp", await encodeWebp(picture(0), { quality: 100 })],
        ["image/jpeg", await encodeJpeg(picture(0), { quality: 100, progressive: true })],
        ["image/jpeg", await encodeJpeg(picture(0), { quality: 100, progressive: false })],
        ["image/jpeg", await encodeJpeg(picture(0), { quality: 100, color_space: 1 })],
      ] as const
    ) {
      const [found] = await classify(send, type, body);
      assertEquals(found!.label, wanted[0]!.label);
      assertAlmostEquals(found!.score, wanted[0]!.score, 0.05);
    }
  },

  "tells a picture by its bytes, whatever it is called": async (send) => {
    await assertSame(classify(send, "image/jpeg", png(0)), await truth(send, 0));
  },

  "refuses JPEG and WebP that are cut off, too large or animated": async (send) => {
    const refuse = async (
      type: string,
      body: Uint8Array<ArrayBuffer>,
      status: number,
      detail: string,
    ): Promise<void> => {
      const response = await send("/v1/classify", {
        method: "POST",
        headers: { "content-type": type },
        body,
      });
      const text = await response.text();
      assertEquals(response.status, status, text);
      assertStringIncludes(JSON.parse(text).detail, detail);
    };
    const jpeg = await encodeJpeg(picture(0));
    const webp = await encodeWebp(picture(0));
    await refuse("image/jpeg", jpeg.slice(0, -20), 400, "the JPEG as it is cut off");
    await refuse("image/webp", webp.slice(0, -20), 400, "the WebP as it is cut off");
    await refuse("image/jpeg", new Uint8Array(9), 400, "the JPEG signature");
    await refuse("image/webp", new Uint8Array(9), 400, "the WebP signature");
    const huge = jpeg.slice();
    const frame = huge.findIndex((byte, i) => byte === 0xff && huge[i + 1]! >= 0xc0 && huge[i + 1]! <= 0xc2);
    huge.set([0xff, 0xff, 0xff, 0xff], frame + 5);
    await refuse("image/jpeg", huge, 413, "current size is 65535x65535");
    const animated = Uint8Array.from([
      ...new TextEncoder().encode("RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0"),
      ...[2, 0, 0, 0, 27, 0, 0, 27, 0, 0],
    ]);
    await refuse("image/webp", animated, 400, "it is an animation");
  },

  "reads forms of one or more pictures, each of which answers or fails alone": async (send) => {
    const form = new FormData();
    form.append("image", new File([png(0)], "a.png", { type: "image/png" }));
    form.append("image", new File([png(1).slice(0, 50)], "b.png", { type: "image/png" }));
    form.append("other", new File([await encodeWebp(picture(2), { lossless: 1 })], "c"));
    // fetch() names the boundary.
    const [a, b, c] = await classify(send, "", form);
    const [wantedA, wantedC] = await truth(send, 0, 2);
    assertSameRanking(a!.top, wantedA!.top);
    assertSameRanking(c!.top, wantedC!.top);
    assertEquals(Object.keys(b!), ["error"]);
    assertEquals([b!.error!.status, b!.error!.title], [400, "Bad Request"]);
    assertStringIncludes(b!.error!.detail, "Cannot decode the PNG");
  },

  "refuses forms without pictures": async (send) => {
    const refuse = async (body: BodyInit, type: string | undefined, detail: string): Promise<void> => {
      const headers = type === undefined ? undefined : { "content-type": type };
      const response = await send("/v1/classify", { method: "POST", body, ...(headers && { headers }) });
      assertEquals(response.status, 400);
      assertStringIncludes((await response.json()).detail, detail);
    };
    const form = new FormData();
    form.append("image", new Blob([new Uint8Array(9)]));
    await refuse(form, undefined, "must be a PNG, JPEG or WebP file");
    form.append("name", "value");
    await refuse(form, undefined, 'each field must be a file: "name" is none');
    await refuse("x", "multipart/form-data", "the form as its content-type has no boundary");
    await refuse("x", "multipart/form-data; boundary=y", "the form as it is malformed");
  },

  "reads JSON of pictures and pixels mixed, each of which answers or fails alone": async (send) => {
    const images = [
      [...box(0)],
      png(1).toBase64(),
      `data:image/png;base64,${png(2).toBase64()}`,
      "no base64!",
      [1, 2],
      null,
      "data:image/png,abc",
    ];
    const found = await classify(send, "application/json", JSON.stringify({ images }));
    for (const [i, wanted] of (await truth(send, 0, 1, 2)).entries()) {
      assertSameRanking(found[i]!.top, wanted.top);
    }
    const details = found.slice(3).map(({ error }) => error!.detail);
    for (
      const [i, detail] of [
        "it must be base64",
        "784 numbers: current length is 2",
        "current type is null",
        "its data URI must be",
      ].entries()
    ) assertStringIncludes(details[i]!, detail);
    const image = { image: `data:image/png;base64,${png(1).toBase64()}` };
    await assertSame(classify(send, "application/json", JSON.stringify(image)), await truth(send, 1));
  },

  "bounds the pixels of a request's pictures together": async (send) => {
    // 1 Mi pixels each, of which a request may have 8.
    const large = encodePng({
      width: 1024,
      height: 1024,
      depth: 1,
      colour: 0,
      interlaced: false,
      filters: [0],
      sample: () => 0,
    });
    const images = Array(9).fill(large.toBase64());
    const found = await classify(send, "application/json", JSON.stringify({ images }));
    assertEquals(found.map(({ error }) => error?.status), [...Array(8).fill(undefined), 413]);
    assertStringIncludes(found[8]!.error!.detail, "too many pixels together");
  },

  "gives logits where function_to_apply is none": async (send) => {
    const [wanted] = await truth(send, 0);
    const [found] = await classify(send, "application/octet-stream", box(0), "&function_to_apply=none");
    assertEquals(found!.top.map(({ label }) => label), wanted!.top.map(({ label }) => label));
    // Probabilities are calibrated: softmax of the logits over a temperature.
    const { metrics } = await (await send("/v1/model")).json();
    const temperature = metrics.calibration?.temperature ?? 1;
    const exponents = found!.top.map(({ score }) => Math.exp(score / temperature));
    const sum = exponents.reduce((a, b) => a + b);
    for (const [i, { score }] of wanted!.top.entries()) assertAlmostEquals(exponents[i]! / sum, score, 1e-5);
    const response = await send("/v1/classify?function_to_apply=sigmoid", {
      method: "POST",
      headers: { "content-type": "application/octet-stream" },
      body: box(0),
    });
    assertEquals(response.status, 400);
    assertStringIncludes((await response.json()).detail, "function_to_apply must be softmax or none");
  },

  "answers as Hugging Face does": async (send) => {
    const [wanted] = await truth(send, 0);
    const rank = (k: number): { label: string; score: number }[] =>
      wanted!.top.slice(0, k).map(({ label, score }) => ({ label, score }));
    const headers = { accept: "application/json" };
    const path = "/models/fashion-mnist";
    for (const type of ["image/png", "application/octet-stream", "application/x-www-form-urlencoded"]) {
      const response = await send(path, {
        method: "POST",
        headers: { ...headers, "content-type": type },
        body: png(0),
      });
      assertEquals(await read(response), rank(5));
    }
    const inputs = png(0).toBase64();
    assertEquals(await read(await post(send, path, { inputs })), rank(5));
    assertEquals(await read(await post(send, path, { inputs, parameters: { top_k: 2 } })), rank(2));
    assertEquals(await read(await post(send, path, { inputs, parameters: { top_k: 99 } })), rank(10));
    const parameters = { top_k: 10, function_to_apply: "none" };
    const logits = await read<Ranked[]>(await post(send, path, { inputs, parameters }));
    // Ten probabilities sum to 1; logits would only by chance.
    assertNotEquals(logits.reduce((sum, { score }) => sum + score, 0).toFixed(3), "1.000");
  },

  "refuses as Hugging Face does": async (send) => {
    const path = "/models/fashion-mnist";
    await assertError(await post(send, path, {}), 400, '"inputs" is missing');
    await assertError(await post(send, path, { inputs: "no base64!" }), 400, "it must be base64");
    await assertError(await post(send, path, { inputs: "AAAA" }), 400, "must be a PNG, JPEG or WebP file");
    const top_k = { inputs: "AAAA", parameters: { top_k: 0 } };
    await assertError(await post(send, path, top_k), 400, '"parameters.top_k" must be at least 1');
    await assertError(await post(send, "/models/resnet", { inputs: "AAAA" }), 404, 'no model "resnet"');
    await assertError(await send(path), 405, "This path accepts POST");
    await assertError(await send("/models"), 404, "No route matches this path");
  },

  "describes itself in the Open Inference Protocol, with and without slashes": async (send) => {
    const { name, version, labels } = await read<{ name: string; version: string; labels: string[] }>(
      await send("/v1/model"),
    );
    const tensor = (name: string, shape: number[]): Tensor => ({ name, datatype: "FP32", shape });
    const model = {
      name,
      versions: [version],
      platform: "onnxruntime_onnx",
      inputs: [tensor("image", [-1, 1, 28, 28])],
      outputs: [tensor("logits", [-1, 10]), tensor("probabilities", [-1, 10])],
    };
    const cases: [string, unknown][] = [
      ["/v2/health/live", { live: true }],
      ["/v2/health/ready", { live: true, ready: true }],
      [V2, model],
      [`${V2}/versions/${version}`, model],
      [`${V2}/ready`, { name, ready: true }],
      [`${V2}/versions/${version}/ready`, { name, ready: true }],
    ];
    for (const [path, wanted] of cases) {
      assertEquals(await read(await send(path)), wanted, path);
      assertEquals(await read(await send(`${path}/`)), wanted, path);
    }
    for (const path of ["/v2", "/v2/"]) {
      const server = await read<{ name: string; version: string; extensions: string[] }>(await send(path));
      assertEquals(server.name, "selvedge");
      assertMatch(server.version, /^\d+\.\d+\.\d+/);
      assertEquals(server.extensions.slice(0, 3), ["classification", "binary_tensor_data", "statistics"]);
    }
    const config = await read<{ max_batch_size: number; output: unknown[] }>(await send(`${V2}/config`));
    assertEquals(config.max_batch_size, 256);
    assertEquals(config.output[0], { name: "logits", data_type: "TYPE_FP32", dims: [labels.length] });
  },

  "answers what there is not in the Open Inference Protocol's form": async (send) => {
    await assertError(
      await send("/v2/models/other"),
      404,
      'no model "other": the one here is "fashion-mnist"',
    );
    await assertError(await send("/v2/models/other/ready"), 404, 'no model "other"');
    await assertError(await send(`${V2}/versions/1`), 404, 'no version "1"');
    await assertError(await post(send, "/v2/models/other/infer", two()), 404, 'no model "other"');
    await assertError(await post(send, `${V2}/versions/1/infer`, two()), 404, 'no version "1"');
    await assertError(await send("/v2/other"), 404, "No route matches this path");
    const response = await send(`${V2}/infer`);
    assertEquals(response.headers.get("allow"), "POST");
    await assertError(response, 405, "POST");
  },

  "infers from every shape and datatype, flat and nested": async (send) => {
    const wanted = await truth(send, 0);
    const pixels = [...box(0)];
    const fractions = pixels.map((value) => Math.fround(value / 255));
    const rows = (data: number[]): number[][] =>
      Array.from({ length: 28 }, (_, y) => data.slice(28 * y, 28 * y + 28));
    const inputs = [
      { datatype: "UINT8", shape: [1, 784], data: pixels },
      { datatype: "UINT8", shape: [1, 784], data: [pixels] },
      { datatype: "UINT8", shape: [1, 28, 28], data: [rows(pixels)] },
      { datatype: "UINT8", shape: [1, 1, 28, 28], data: [[rows(pixels)]] },
      { datatype: "FP32", shape: [1, 1, 28, 28], data: fractions },
      { datatype: "FP32", shape: [1, 28, 28], data: [rows(fractions)] },
      { datatype: "FP32", shape: [1, 784], data: fractions },
    ];
    const { version } = await read<{ version: string }>(await send("/v1/model"));
    const paths = [`${V2}/infer`, `${V2}/infer/`, `${V2}/versions/${version}/infer`];
    for (const [i, input] of inputs.entries()) {
      const response = await post(send, paths[i % 3]!, {
        id: `request ${i}`,
        parameters: { priority: 1 },
        inputs: [{ name: "image", ...input }],
      });
      const { model_name, model_version, id, outputs } = await read<InferResponse>(response);
      assertEquals([model_name, model_version, id], ["fashion-mnist", version, `request ${i}`]);
      assertEquals(outputs.map(({ name, datatype, shape }) => [name, datatype, shape]), [
        ["logits", "FP32", [1, 10]],
        ["probabilities", "FP32", [1, 10]],
      ]);
      const probabilities = outputs[1]!.data as number[];
      for (const { class_index, score } of wanted[0]!.top) {
        assertAlmostEquals(probabilities[class_index]!, score, 1e-6);
      }
    }
  },

  "gives the outputs that are asked for, in their order": async (send) => {
    const names = async (outputs: unknown): Promise<string[]> => {
      const response = await read<InferResponse>(await post(send, `${V2}/infer`, { ...two(), outputs }));
      assert(!("id" in response));
      return response.outputs.map(({ name }) => name);
    };
    assertEquals(await names([{ name: "probabilities" }]), ["probabilities"]);
    assertEquals(await names([{ name: "probabilities" }, { name: "logits" }]), ["probabilities", "logits"]);
    assertEquals(await names([]), ["logits", "probabilities"]);
  },

  "classifies in the Open Inference Protocol": async (send) => {
    const wanted = await truth(send, 0, 1);
    const outputs = [
      { name: "probabilities", parameters: { classification: 3 } },
      { name: "logits", parameters: { classification: 99 } },
    ];
    const response = await read<InferResponse>(await post(send, `${V2}/infer`, { ...two(), outputs }));
    const [probabilities, logits] = response.outputs;
    assertEquals([probabilities!.datatype, probabilities!.shape], ["BYTES", [2, 3]]);
    for (const [n, { top }] of wanted.entries()) {
      for (const [i, { label, class_index, score }] of top.slice(0, 3).entries()) {
        const text = String(probabilities!.data![3 * n + i]);
        assertMatch(text, /^\d\.\d{6}:\d:.+$/);
        const [, index, ...name] = text.split(":");
        assertEquals([Number(index), name.join(":")], [class_index, label]);
        assertAlmostEquals(parseFloat(text), score, 1e-5);
      }
    }
    assertEquals(logits!.shape, [2, CLASSES]);
  },

  "takes and gives tensors as bytes": async (send) => {
    const json = await read<InferResponse>(await post(send, `${V2}/infer`, two()));
    const pixels = new Uint8Array(await new Blob([box(0), box(1)]).arrayBuffer());
    const floats = new Uint8Array(4 * pixels.length);
    for (const [i, value] of pixels.entries()) {
      new DataView(floats.buffer).setFloat32(4 * i, value / 255, true);
    }
    for (const [datatype, bytes] of [["UINT8", pixels], ["FP32", floats]] as const) {
      const parameters = { binary_data_size: bytes.length };
      const request = {
        inputs: [{ name: "image", shape: [2, 1, 28, 28], datatype, parameters }],
        outputs: [
          { name: "logits", parameters: { binary_data: true } },
          { name: "probabilities", parameters: { binary_data: false } },
        ],
      };
      const response = await infer(send, request, bytes);
      assertEquals(response.status, 200);
      assertEquals(response.headers.get("content-type"), "application/octet-stream");
      const length = Number(response.headers.get("inference-header-content-length"));
      const body = new Uint8Array(await response.arrayBuffer());
      const { outputs } = JSON.parse(new TextDecoder().decode(body.subarray(0, length))) as InferResponse;
      assertEquals(outputs[0], {
        name: "logits",
        datatype: "FP32",
        shape: [2, 10],
        parameters: { binary_data_size: 80 },
      });
      assertEquals(body.length, length + 80);
      const logits = Array.from(
        { length: 20 },
        (_, i) => new DataView(body.buffer).getFloat32(length + 4 * i, true),
      );
      for (const [i, value] of logits.entries()) {
        assertAlmostEquals(value, json.outputs[0]!.data![i] as number, 1e-4);
      }
      assertEquals((outputs[1]!.data as number[]).length, 20);
    }
  },

  "gives classes as bytes, each with its length": async (send) => {
    const request = {
      ...two(),
      parameters: { binary_data_output: true },
      outputs: [{ name: "probabilities", parameters: { classification: 2 } }],
    };
    const response = await post(send, `${V2}/infer`, request);
    const length = Number(response.headers.get("inference-header-content-length"));
    const body = new Uint8Array(await response.arrayBuffer());
    const { outputs: [output] } = JSON.parse(
      new TextDecoder().decode(body.subarray(0, length)),
    ) as InferResponse;
    assertEquals([output!.datatype, output!.shape], ["BYTES", [2, 2]]);
    assertEquals(body.length, length + output!.parameters!.binary_data_size);
    const texts: string[] = [];
    for (let at = length; at < body.length;) {
      const size = new DataView(body.buffer).getUint32(at, true);
      texts.push(new TextDecoder().decode(body.subarray(at + 4, at += 4 + size)));
    }
    const wanted = (await truth(send, 0, 1)).flatMap(({ top }) => top.slice(0, 2));
    assertEquals(texts.map((text) => text.split(":").slice(2).join(":")), wanted.map(({ label }) => label));
  },

  "refuses requests of the Open Inference Protocol that make no sense": async (send) => {
    const input = { name: "image", datatype: "FP32", shape: [1, 784], data: Array(784).fill(0) };
    const withInput = (change: Record<string, unknown>): unknown => ({ inputs: [{ ...input, ...change }] });
    const withOutput = (...outputs: unknown[]): unknown => ({ inputs: [input], outputs });
    const changed = (value: unknown): unknown[] => [...input.data.slice(1), value];
    const cases: [unknown, number, string][] = [
      [[], 400, '"inputs" is missing'],
      [{ inputs: [] }, 400, "an array of 1 to 16 elements"],
      [{ inputs: [input, input] }, 400, 'the model has one input, "image"'],
      [withInput({ name: "pixels" }), 400, 'current inputs are ["pixels"]'],
      [withInput({ datatype: "FP64" }), 400, 'must be "FP32" or "UINT8": current value is "FP64"'],
      [withInput({ shape: [784] }), 400, "its shape must be [N, 1, 28, 28] or [N, 784] or [N, 28, 28]"],
      [withInput({ shape: [1, 783] }), 400, "current value is [1, 783]"],
      [withInput({ shape: [-1, 784] }), 400, '"inputs[0].shape[0]" must be at least 1'],
      [withInput({ shape: [257, 784] }), 413, "at most 256 images"],
      [withInput({ shape: [9007199254740991, 784] }), 413, "at most 256 images"],
      [withInput({ shape: [2, 784] }), 400, "must have 1568 elements"],
      [withInput({ data: undefined }), 400, "neither data nor binary_data_size"],
      [withInput({ data: [] }), 400, "current number is 0"],
      [withInput({ data: [[]] }), 400, "must have 784 elements"],
      [withInput({ data: "AAAA" }), 400, "must be an array"],
      [withInput({ data: changed("0") }), 400, "element 783 must be a number: current type is string"],
      [withInput({ data: changed(null) }), 400, "element 783 must be a number"],
      [withInput({ data: changed(1.5) }), 400, "element 783 of FP32 must be in 0..1: current value is 1.5"],
      [
        withInput({ datatype: "UINT8", data: changed(256) }),
        400,
        "an integer in 0..255: current value is 256",
      ],
      [withInput({ datatype: "UINT8", data: changed(0.5) }), 400, "current value is 0.5"],
      [withInput({ parameters: { binary_data_size: 784 } }), 400, "both data and binary_data_size"],
      [withOutput({ name: "scores" }), 400, 'the model\'s outputs are ["logits","probabilities"]'],
      [withOutput({ name: "logits" }, { name: "logits" }), 400, "asked for twice"],
      [withOutput({ name: "logits", parameters: { classification: 0 } }), 400, "an integer from 1 on"],
      [
        withOutput({ name: "logits", parameters: { binary_data: 1 } }),
        400,
        "binary_data must be true or false",
      ],
      [{ inputs: [input], id: 5 }, 400, '"id" must be a string: current value is 5'],
    ];
    for (const [json, status, message] of cases) {
      await assertError(await post(send, `${V2}/infer`, json), status, message);
    }
    const raw = async (body: string): Promise<Response> =>
      await send(`${V2}/infer`, { method: "POST", body });
    await assertError(await raw(""), 400, "the body is empty");
    await assertError(await raw("{"), 400, "malformed");
    await assertError(
      await raw(JSON.stringify(withInput({ data: changed(0) })).replace(",0]", ",NaN]")),
      400,
      "",
    );
    await assertError(await raw(JSON.stringify(withInput({})).replace("[0,", "[1e999,")), 400, "is Infinity");
  },

  "refuses bytes that do not fit their tensor": async (send) => {
    const request = (size: unknown, datatype = "UINT8"): unknown => ({
      inputs: [{ name: "image", shape: [1, 784], datatype, parameters: { binary_data_size: size } }],
    });
    const bytes = new Uint8Array(784);
    await assertError(await infer(send, request(783), bytes), 400, "must be the 784 bytes that follow");
    await assertError(await infer(send, request("784"), bytes), 400, 'current value is "784"');
    await assertError(await infer(send, request(784, "FP32"), bytes), 400, "its shape needs 3136 bytes");
    await assertError(
      await infer(send, request(784), bytes, "99999"),
      400,
      "Inference-Header-Content-Length",
    );
    await assertError(await infer(send, request(784), bytes, "-1"), 400, "Inference-Header-Content-Length");
    await assertError(await infer(send, request(784), bytes, "0"), 400, "malformed");
    await assertError(await infer(send, two(), bytes), 400, "784 bytes follow the JSON");
    const nan = new Uint8Array(3136);
    new DataView(nan.buffer).setFloat32(4, NaN, true);
    await assertError(
      await infer(send, request(3136, "FP32"), nan),
      400,
      "element 1 of FP32 must be in 0..1",
    );
    new DataView(nan.buffer).setFloat32(4, -Infinity, true);
    await assertError(await infer(send, request(3136, "FP32"), nan), 400, "current value is -Infinity");
  },

  "counts what it infers": async (send) => {
    interface Stats {
      model_stats: [{
        name: string;
        last_inference: number;
        inference_count: number;
        execution_count: number;
        inference_stats: Record<string, { count: number; ns: number }>;
        batch_stats: { batch_size: number; compute_infer: { count: number } }[];
      }];
    }
    const read3 = async (path: string): Promise<Stats["model_stats"][0]> =>
      (await read<Stats>(await send(path))).model_stats[0];
    const before = await read3("/v2/models/stats");
    await (await post(send, `${V2}/infer`, two())).body?.cancel();
    const after = await read3(`${V2}/stats`);
    assertEquals(after.name, "fashion-mnist");
    assertEquals(after.inference_count - before.inference_count, 2);
    assertEquals(after.execution_count - before.execution_count, 1);
    const { success, compute_infer, fail } = after.inference_stats;
    assertEquals(success!.count - before.inference_stats.success!.count, 1);
    assertEquals(fail!.count, 0);
    assert(compute_infer!.ns >= before.inference_stats.compute_infer!.ns);
    assert(after.batch_stats.some(({ batch_size }) => batch_size === 2));
    assert(after.last_inference >= before.last_inference);
  },
};
