/**
 * The part of the suite of requests about the Open Inference Protocol.
 *
 * @module
 */
import { assert, assertAlmostEquals, assertEquals, assertMatch } from "@std/assert";
import {
  assertError,
  box,
  CLASSES,
  infer,
  type InferResponse,
  post,
  read,
  type Tensor,
  truth,
  two,
  V2,
} from "./protocol_helpers.ts";
import type { Send } from "./requests.ts";

/** Whether the model has the output `familiarity`. */
async function hasFamiliarity(send: Send): Promise<boolean> {
  return "familiarity" in await read<object>(await send("/v1/model"));
}

/** Name → requests, and what the responses must be. */
export const OPEN_INFERENCE: Record<string, (send: Send) => Promise<void>> = {
  "describes itself in the Open Inference Protocol, with and without slashes": async (send) => {
    const { name, version, labels } = await read<{ name: string; version: string; labels: string[] }>(
      await send("/v1/model"),
    );
    const tensor = (name: string, shape: number[]): Tensor => ({ name, datatype: "FP32", shape });
    const familiarity = await hasFamiliarity(send) ? [tensor("familiarity", [-1])] : [];
    const model = {
      name,
      versions: [version],
      platform: "onnxruntime_onnx",
      inputs: [tensor("image", [-1, 1, 28, 28])],
      outputs: [tensor("logits", [-1, 10]), tensor("probabilities", [-1, 10]), ...familiarity],
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
      'Unknown model "other": this server has "fashion-mnist"',
    );
    await assertError(await send("/v2/models/other/ready"), 404, 'Unknown model "other"');
    await assertError(await send(`${V2}/versions/1`), 404, 'Unknown version "1"');
    await assertError(await post(send, "/v2/models/other/infer", two()), 404, 'Unknown model "other"');
    await assertError(await post(send, `${V2}/versions/1/infer`, two()), 404, 'Unknown version "1"');
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
      { datatype: "FP64", shape: [1, 784], data: pixels.map((value) => value / 255) },
      { datatype: "INT32", shape: [1, 784], data: pixels },
      { datatype: "INT64", shape: [1, 784], data: pixels },
    ];
    const { version } = await read<{ version: string }>(await send("/v1/model"));
    const paths = [`${V2}/infer`, `${V2}/infer/`, `${V2}/versions/${version}/infer`];
    const familiarity = await hasFamiliarity(send) ? [["familiarity", "FP32", [1]]] : [];
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
        ...familiarity,
      ]);
      const probabilities = outputs[1]!.data as number[];
      for (const { class_index, score } of wanted[0]!.top) {
        assertAlmostEquals(probabilities[class_index]!, score, 1e-6);
      }
    }
  },

  "returns the requested outputs, in their order": async (send) => {
    const names = async (outputs: unknown): Promise<string[]> => {
      const response = await read<InferResponse>(await post(send, `${V2}/infer`, { ...two(), outputs }));
      assert(!("id" in response));
      return response.outputs.map(({ name }) => name);
    };
    assertEquals(await names([{ name: "probabilities" }]), ["probabilities"]);
    assertEquals(await names([{ name: "probabilities" }, { name: "logits" }]), ["probabilities", "logits"]);
    const familiarity = await hasFamiliarity(send) ? ["familiarity"] : [];
    assertEquals(await names([]), ["logits", "probabilities", ...familiarity]);
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
    const raw = (numbers: Float64Array | Int32Array | BigInt64Array): Uint8Array<ArrayBuffer> =>
      new Uint8Array(numbers.buffer as ArrayBuffer);
    const tensors: [string, Uint8Array<ArrayBuffer>][] = [
      ["UINT8", pixels],
      ["FP32", floats],
      ["FP64", raw(Float64Array.from(pixels, (value) => value / 255))],
      ["INT32", raw(Int32Array.from(pixels))],
      ["INT64", raw(BigInt64Array.from(pixels, BigInt))],
    ];
    for (const [datatype, bytes] of tensors) {
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

  "refuses requests of the Open Inference Protocol that are malformed": async (send) => {
    const input = { name: "image", datatype: "FP32", shape: [1, 784], data: Array(784).fill(0) };
    const withInput = (change: Record<string, unknown>): unknown => ({ inputs: [{ ...input, ...change }] });
    const withOutput = (...outputs: unknown[]): unknown => ({ inputs: [input], outputs });
    const changed = (value: unknown): unknown[] => [...input.data.slice(1), value];
    const cases: [unknown, number, string][] = [
      [[], 400, "it must be an object"],
      [{}, 400, '"inputs" is missing'],
      [{ inputs: [] }, 400, "an array of 1 to 16 elements"],
      [{ inputs: [input, input] }, 400, 'the model has one input, "image"'],
      [withInput({ name: "pixels" }), 400, 'current inputs are ["pixels"]'],
      [withInput({ datatype: "FP16" }), 400, '"INT32" or "INT64": current value is "FP16"'],
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
      [withOutput({ name: "scores" }), 400, 'the model\'s outputs are ["logits","probabilities"'],
      [withOutput({ name: "logits" }, { name: "logits" }), 400, "requested twice"],
      [withOutput({ name: "logits", parameters: { classification: 0 } }), 400, "an integer of at least 1"],
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
    await assertError(await infer(send, request(784), bytes, "0"), 400, "an integer in 1..");
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
