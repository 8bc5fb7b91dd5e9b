import { assert, assertAlmostEquals, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { type App, createApp } from "../../serve/app.ts";
import { createLog } from "../../serve/log.ts";
import { loadModel } from "../../serve/model.ts";
import { METADATA } from "../../shared/contract.ts";
import { InputError } from "../../shared/errors.ts";
import { Classifier } from "../../shared/inference/classifier.ts";
import { readOnnx } from "../../shared/onnx/read.ts";
import { writeOnnx } from "../../shared/onnx/write.ts";
import { assertProblem } from "../helpers/http.ts";
import { middlePicture, tinyModel } from "../helpers/tiny_model.ts";

// Images of 3×2 pixels. The familiarity of the first is about 1, that of the second 0: see tinyModel().
const GREY = [127, 128, 127, 128, 128, 127];
const BLACK_AND_WHITE = [0, 255, 0, 0, 255, 0];
const BYTES = "application/octet-stream";

function appOf(familiarity: boolean): App {
  return createApp({
    load: () => Classifier.load(tinyModel({ familiarity })),
    report: (error) => {
      throw error;
    },
  });
}

async function post(app: App, path: string, body: BodyInit, type = BYTES): Promise<Response> {
  return await app.request(path, { method: "POST", headers: { "content-type": type }, body });
}

const withOutput = appOf(true), without = appOf(false);

Deno.test("POST /v1/classify says which images are unfamiliar, and keeps their label", async () => {
  const response = await post(withOutput, "/v1/classify", Uint8Array.from([...GREY, ...BLACK_AND_WHITE]));
  const { predictions } = await response.json();
  assertEquals(Object.keys(predictions[0]), [
    "label",
    "class_index",
    "score",
    "familiarity",
    "unfamiliar",
    "top",
  ]);
  assertAlmostEquals(predictions[0].familiarity, 1, 1e-3);
  assertEquals(predictions[0].unfamiliar, false);
  assertEquals([predictions[1].familiarity, predictions[1].unfamiliar], [0, true]);
  assertEquals(predictions[1].label, "middle");
});

Deno.test("reject=true removes the label of unfamiliar images only, and nothing else", async () => {
  const body = JSON.stringify({ images: [BLACK_AND_WHITE, "no base64!", GREY] });
  const ask = async (query: string): Promise<Record<string, unknown>[]> =>
    (await (await post(withOutput, `/v1/classify${query}`, body, "application/json")).json()).predictions;
  const plain = await ask("");
  assertEquals(await ask("?reject=false"), plain);
  const [unfamiliar, failed, familiar] = await ask("?reject=true");
  assertEquals(unfamiliar, { ...plain[0], label: null });
  assertEquals(failed, plain[1]);
  assertEquals(familiar, plain[2]);
});

Deno.test("reject must be true or false, and needs a model with the output familiarity", async () => {
  const body = Uint8Array.from(GREY);
  for (const value of ["1", "TRUE", "", "yes"]) {
    const response = await post(withOutput, `/v1/classify?reject=${value}`, body);
    await assertProblem(
      response,
      400,
      `reject must be true or false: current value is ${JSON.stringify(value)}`,
    );
  }
  await assertProblem(
    await post(without, "/v1/classify?reject=true", body),
    400,
    "Cannot reject unfamiliar images as the model has no output familiarity",
  );
  const { predictions } = await (await post(without, "/v1/classify?reject=false", body)).json();
  assertEquals(Object.keys(predictions[0]), ["label", "class_index", "score", "top"]);
});

Deno.test("GET /v1/model says how to read the familiarity", async () => {
  const { familiarity } = await (await withOutput.request("/v1/model")).json();
  assertEquals([familiarity.threshold, familiarity.kept], [0.05, 0.95]);
  assert(!("familiarity" in await (await without.request("/v1/model")).json()));
});

const infer = async (app: App, outputs?: unknown[]): Promise<Response> => {
  const data = [...GREY, ...BLACK_AND_WHITE];
  const inputs = [{ name: "image", datatype: "UINT8", shape: [2, 6], data }];
  return await post(app, "/v2/models/columns/infer", JSON.stringify({ inputs, outputs }), "application/json");
};

Deno.test("The Open Inference Protocol lists and returns the familiarity", async () => {
  const { outputs } = await (await withOutput.request("/v2/models/columns")).json();
  assertEquals(outputs.at(-1), { name: "familiarity", datatype: "FP32", shape: [-1] });
  const { output } = await (await withOutput.request("/v2/models/columns/config")).json();
  assertEquals(output.at(-1), {
    name: "familiarity",
    data_type: "TYPE_FP32",
    dims: [1],
    reshape: { shape: [] },
  });
  const all = (await (await infer(withOutput)).json()).outputs;
  assertEquals(all.map(({ name }: { name: string }) => name), ["logits", "probabilities", "familiarity"]);
  assertEquals(all[2].shape, [2]);
  assertAlmostEquals(all[2].data[0], 1, 1e-3);
  assertEquals(all[2].data[1], 0);
});

Deno.test("The Open Inference Protocol returns the familiarity as bytes, but not as classes", async () => {
  const response = await infer(withOutput, [{ name: "familiarity", parameters: { binary_data: true } }]);
  const bytes = await response.bytes();
  const length = Number(response.headers.get("inference-header-content-length"));
  const [head] = JSON.parse(new TextDecoder().decode(bytes.subarray(0, length))).outputs;
  assertEquals([head.shape, head.parameters.binary_data_size, bytes.length - length], [[2], 8, 8]);
  const view = new DataView(bytes.buffer, bytes.byteOffset + length);
  assertAlmostEquals(view.getFloat32(0, true), 1, 1e-3);
  assertEquals(view.getFloat32(4, true), 0);
  const classes = await infer(withOutput, [{ name: "familiarity", parameters: { classification: 1 } }]);
  assertEquals(classes.status, 400);
  assertStringIncludes((await classes.json()).error, "familiarity has no classes");
});

Deno.test("The Open Inference Protocol does not know the output for a model without it", async () => {
  const { outputs } = await (await without.request("/v2/models/columns")).json();
  assertEquals(outputs.length, 2);
  const response = await infer(without, [{ name: "familiarity" }]);
  assertEquals(response.status, 400);
  assertStringIncludes((await response.json()).error, `the model's outputs are ["logits","probabilities"]`);
});

Deno.test("Concurrent requests, which share a batch, each get their own familiarity", async () => {
  const bodies = [[...GREY, ...BLACK_AND_WHITE], BLACK_AND_WHITE, GREY, [
    ...BLACK_AND_WHITE,
    ...GREY,
    ...GREY,
  ]];
  const ask = async (body: number[]): Promise<boolean[]> => {
    const { predictions } = await (await post(withOutput, "/v1/classify", Uint8Array.from(body))).json();
    return predictions.map(({ unfamiliar }: { unfamiliar: boolean }) => unfamiliar);
  };
  for (let round = 0; round < 5; round++) {
    assertEquals(await Promise.all(bodies.map(ask)), [[false, true], [true], [false], [true, false, false]]);
  }
});

Deno.test("The log and Analytics Engine have the number of unfamiliar images", async () => {
  const points: { doubles: number[] }[] = [];
  const lines: string[] = [];
  const app = createApp({
    load: () => Classifier.load(tinyModel({ familiarity: true })),
    report: () => {},
    log: createLog("info", (line) => lines.push(line)),
  });
  const request = { method: "POST", headers: { "content-type": BYTES } };
  const body = Uint8Array.from([...GREY, ...BLACK_AND_WHITE]);
  const analytics = { writeDataPoint: (point: { doubles: number[] }): number => points.push(point) };
  const { predictions } = await (await app.request("/v1/classify", { ...request, body }, { analytics }))
    .json();
  const [images, confidence, unfamiliar] = points[0]!.doubles.slice(4);
  assertEquals([images, unfamiliar], [2, 1]);
  assertAlmostEquals(confidence!, predictions[0].score + predictions[1].score, 1e-6);
  assertEquals(JSON.parse(lines[0]!)["selvedge.unfamiliar"], 1);
});

Deno.test("Hugging Face's answer keeps its shape", async () => {
  const response = await post(withOutput, "/models/columns", middlePicture(), "image/png");
  assertEquals(response.status, 200);
  for (const item of await response.json()) assertEquals(Object.keys(item), ["label", "score"]);
});

Deno.test("A model whose familiarity is not finite is not served", async () => {
  const classifier = await Classifier.load(tinyModel({ familiarity: true }));
  const run = classifier.runScaled.bind(classifier);
  const reports: unknown[] = [];
  const app = createApp({
    load: () =>
      Promise.resolve(Object.assign(classifier, {
        runScaled: async (pixels: Float32Array) => ({
          ...await run(pixels),
          familiarity: Float32Array.of(NaN, 0),
        }),
      })),
    report: (error) => reports.push(error),
  });
  assertEquals((await app.request("/readyz")).status, 503);
  assertStringIncludes(String(reports[0]), "its familiarity must be finite");
});

Deno.test("loadModel() refuses a model whose statistics of the validation images have other bins", async () => {
  const cases: [string, unknown][] = [
    ["confidence", [1, 2]],
    ["confidence", undefined],
    ["classes", [1, 2, -3]],
    ["classes", [1, 2, 3, 4]],
    ["familiarity", "none"],
  ];
  for (const [name, counts] of cases) {
    const model = readOnnx(tinyModel({ familiarity: true }));
    const reference = { ...JSON.parse(model.metadata.get(METADATA.reference)!), [name]: counts };
    model.metadata.set(METADATA.reference, JSON.stringify(reference));
    const message = `Cannot use the model as "${name}" of its metadata "selvedge.reference" must be`;
    await assertRejects(() => loadModel(writeOnnx(model)), InputError, message);
  }
});
