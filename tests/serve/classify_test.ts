import { assert, assertEquals, assertMatch } from "@std/assert";
import { constants, deflateRawSync } from "node:zlib";
import fc from "fast-check";
import { createApp } from "../../serve/app.ts";
import { readConfig } from "../../serve/config.ts";
import { describeModel } from "../../shared/contract.ts";
import { Classifier } from "../../shared/inference/classifier.ts";
import { writeOnnx } from "../../shared/onnx/write.ts";
import { mlpToOnnx } from "../../train/artifact/export.ts";
import { assertProblem } from "../helpers/http.ts";
import { encodeGreyPng, encodePng, headerOf, pngFile, type PngSource } from "../helpers/png_encoder.ts";
import { tinyModel } from "../helpers/tiny_model.ts";

// Images are 3×2 pixels, and each label is the sum of one column: "left", "middle", "<right>".
const MODEL = tinyModel();
const { maxBodyBytes: MAX_BODY_BYTES, maxBatchSize: MAX_IMAGES, maxPixels: MAX_PIXELS } = readConfig();
const BYTES = "application/octet-stream";
const JSON_TYPE = "application/json";
const MEDIA_TYPES = [
  BYTES,
  JSON_TYPE,
  "image/png",
  "image/jpeg",
  "image/webp",
  "multipart/form-data",
];

const reports: unknown[] = [];
const app = createApp({ load: () => Classifier.load(MODEL), report: (error) => reports.push(error) });

async function post(type: string | undefined, body: BodyInit, query = ""): Promise<Response> {
  const headers = new Headers(type === undefined ? {} : { "content-type": type });
  // A Blob without a type, as a string would bring its own content-type.
  const request = new Request(`http://localhost/v1/classify${query}`, {
    method: "POST",
    headers,
    body: typeof body === "string" ? new TextEncoder().encode(body) : body,
  });
  return await app.fetch(request);
}

Deno.test("POST /v1/classify answers 422 to blank images", async () => {
  const blank = new Uint8Array(6).fill(7);
  const picture = encodePng({
    width: 40,
    height: 30,
    depth: 8,
    colour: 0,
    interlaced: false,
    filters: [0],
    sample: () => 200,
  });
  const json = JSON.stringify({ images: [[...blank], [...blank]] });
  for (const [type, body] of [[BYTES, blank], ["image/png", picture], [JSON_TYPE, json]] as const) {
    await assertProblem(await post(type, body), 422, "must stand out from the background");
  }
  const mixed = Uint8Array.of(...blank, 255, 0, 0, 255, 0, 0, ...blank, 0, 0, 9, 0, 0, 9);
  const response = await post(BYTES, mixed);
  assertEquals(response.status, 200);
  const { predictions } = await response.json();
  assertEquals(
    predictions.map(({ label, error }: Record<string, Record<string, unknown>>) => label ?? error!.status),
    [422, "left", 422, "<right>"],
  );
  assertEquals(predictions[0].error.title, "Unprocessable Content");
});

Deno.test("POST /v1/classify reads raw bytes, one or many images", async () => {
  const response = await post(BYTES, Uint8Array.of(255, 0, 0, 255, 0, 0, 0, 0, 9, 0, 0, 9));
  assertEquals(response.status, 200);
  const { model, predictions } = await response.json();
  assertEquals(model, { name: "columns", version: (await describeModel(MODEL)).version });
  assertEquals(predictions.map((one: { label: string }) => one.label), ["left", "<right>"]);
  const [{ label, class_index, score, top }] = predictions;
  assertEquals({ label, class_index, score }, top[0]);
  // Softmax of [2, 0, 0].
  assert(Math.abs(score - Math.E ** 2 / (Math.E ** 2 + 2)) < 1e-6);
  assertEquals(top.map((one: { class_index: number }) => one.class_index), [0, 1, 2]);
});

Deno.test("POST /v1/classify gives the same answer for bytes, JSON and PNG", async () => {
  const pixels = [1, 250, 3, 40, 50, 6];
  const source: PngSource = {
    width: 3,
    height: 2,
    depth: 8,
    colour: 0,
    interlaced: false,
    filters: [4],
    sample: (x, y) => pixels[y * 3 + x]!,
  };
  const wanted = await (await post(BYTES, Uint8Array.from(pixels))).json();
  const bodies: [string, BodyInit][] = [
    [JSON_TYPE, JSON.stringify({ pixels })],
    [JSON_TYPE, JSON.stringify({ images: [pixels] })],
    [`Application/JSON ; charset=utf-8`, JSON.stringify({ pixels })],
    ["image/png", encodePng(source)],
    ["image/png", encodePng({ ...source, colour: 2, interlaced: true })],
  ];
  for (const [type, body] of bodies) assertEquals(await (await post(type, body)).json(), wanted, type);
});

Deno.test("POST /v1/classify reads pictures for grey and RGB models only", async () => {
  const answer = async (channels: number): Promise<Response> => {
    const layer = {
      inFeatures: channels,
      outFeatures: 2,
      // More red than blue, or otherwise.
      weight: Float32Array.from(
        { length: 2 * channels },
        (_, i) => i === 0 || i === 2 * channels - 1 ? 1 : 0,
      ),
      bias: new Float32Array(2),
    };
    const bytes = writeOnnx(mlpToOnnx([layer], {
      name: "colours",
      labels: ["red", "blue"],
      input: { channels, height: 1, width: 1 },
      provenance: {
        dataset: { name: "colours", sha256: "0".repeat(64) },
        recipe: {},
        seed: 0,
        backend: "cpu",
        codeVersion: "0.0.0",
      },
    }));
    const app = createApp({ load: () => Classifier.load(bytes), report: (error) => reports.push(error) });
    const png = encodePng({
      width: 5,
      height: 4,
      depth: 8,
      colour: 2,
      interlaced: false,
      filters: [0],
      sample: (x, y, c) => c === 2 ? 200 : x === 2 && y === 2 ? 120 : 20,
    });
    return await app.request("/v1/classify", {
      method: "POST",
      headers: { "content-type": "image/png" },
      body: png,
    });
  };
  assertEquals((await (await answer(3)).json()).predictions[0].label, "blue");
  await assertProblem(await answer(2), 415, "the model takes neither grey nor RGB images");
});

Deno.test("POST /v1/classify keeps fractions of JSON pixels", async () => {
  const score = async (value: number): Promise<number> => {
    const response = await post(JSON_TYPE, JSON.stringify({ pixels: [value, 0, 0, 0, 0, 0] }));
    return (await response.json()).predictions[0].score;
  };
  const [low, half, high] = [await score(100), await score(100.5), await score(101)];
  assert(low < half && half < high, `${low}, ${half}, ${high}`);
});

Deno.test("POST /v1/classify fits a PNG of another size into the model's input", async () => {
  // A black bar on the right of the upper half, on white; it is trimmed, so nothing but the bar is left.
  const body = encodeGreyPng((x, y) => x >= 50 && y < 20 ? 0 : 255);
  const [{ label, score }] = (await (await post("image/png", body)).json()).predictions;
  // Twice as high as wide: one full column, in the middle.
  assertEquals(label, "middle");
  assert(Math.abs(score - Math.E ** 2 / (Math.E ** 2 + 2)) < 1e-6);
});

Deno.test("POST /v1/classify returns top_k classes", async () => {
  const image = Uint8Array.of(1, 2, 3, 4, 5, 6);
  for (const k of [1, 2, 3]) {
    const [{ top }] = (await (await post(BYTES, image, `?top_k=${k}`)).json()).predictions;
    assertEquals(top.length, k);
  }
  for (const k of ["0", "4", "-1", "1.5", "", "x", "1e0", "%ff", "99999999999", "NaN"]) {
    await assertProblem(await post(BYTES, image, `?top_k=${k}`), 400, "top_k must be an integer in 1..3");
  }
});

Deno.test("POST /v1/classify explains what is wrong with a body", async () => {
  const wide = headerOf({ width: MAX_PIXELS + 1, height: 1, depth: 8, colour: 0, interlaced: false });
  const cases: [string | undefined, BodyInit, number, string][] = [
    [BYTES, "", 400, "the body is empty"],
    [BYTES, new Uint8Array(5), 400, "a multiple of 6 bytes, one per pixel: current length is 5"],
    [BYTES, new Uint8Array(6 * (MAX_IMAGES + 1)), 413, `at most ${MAX_IMAGES} images: current number is 257`],
    [BYTES, new Uint8Array(MAX_BODY_BYTES + 1), 413, `at most ${MAX_BODY_BYTES} bytes`],
    [JSON_TYPE, "", 400, "the body is empty"],
    [JSON_TYPE, "{", 400, "the JSON as it is malformed"],
    [JSON_TYPE, '{"pixels": [NaN, 0, 0, 0, 0, 0]}', 400, "malformed"],
    [JSON_TYPE, new Uint8Array([0xff]), 400, "it must be UTF-8"],
    [JSON_TYPE, "null", 400, "current type is null"],
    [JSON_TYPE, "[1]", 400, "current type is array"],
    [JSON_TYPE, "{}", 400, "current number of keys is 0"],
    [JSON_TYPE, '{"pixels": [], "top_k": 1}', 400, "current number of keys is 2"],
    [JSON_TYPE, '{"__proto__": []}', 400, "no other keys"],
    [JSON_TYPE, '{"pixels": "abc"}', 400, 'current type of "pixels" is string'],
    [JSON_TYPE, '{"pixels": [1, 2]}', 400, "an array of 6 numbers: current length is 2"],
    [JSON_TYPE, '{"images": []}', 400, "there are none"],
    [JSON_TYPE, '{"images": [1]}', 400, "image 0 as it must be an array of 6 numbers"],
    [JSON_TYPE, '{"images": [[0],[0,0,0,0,0,null]]}', 400, "image 0 as it must be an array of 6 numbers"],
    [JSON_TYPE, '{"image": 5}', 400, 'current type of "image" is number'],
    [JSON_TYPE, '{"image": "bm90aGluZw=="}', 400, "must be a PNG, JPEG or WebP file"],
    [JSON_TYPE, '{"image": "R0lGODlh"}', 415, "current format is GIF"],
    [JSON_TYPE, '{"image": "?"}', 400, "it must be base64 or a data URI"],
    [JSON_TYPE, '{"image": "data:image/png,abc"}', 400, "data:<media type>;base64"],
    ["image/jpeg", "other", 400, "JPEG signature"],
    ["image/webp", "other", 400, "WebP signature"],
    ["multipart/form-data", "x", 400, "the form as its content-type has no boundary"],
    ["multipart/form-data; boundary=x", "x", 400, "the form as it is malformed"],
    ["multipart/form-data; boundary=x", "--x--\r\n", 400, "the form as it has no files"],
    [JSON_TYPE, '{"pixels": [0,0,"0",0,0,0]}', 400, "pixel 2 must be a number: current type is string"],
    [JSON_TYPE, '{"pixels": [256,0,0,0,0,0]}', 400, "in 0..255: current value is 256"],
    [JSON_TYPE, '{"pixels": [-0.1,0,0,0,0,0]}', 400, "in 0..255: current value is -0.1"],
    [JSON_TYPE, '{"pixels": [1e999,0,0,0,0,0]}', 400, "in 0..255: current value is Infinity"],
    [
      JSON_TYPE,
      JSON.stringify({ images: Array(MAX_IMAGES + 1).fill([0, 0, 0, 0, 0, 0]) }),
      413,
      "current number is 257",
    ],
    [JSON_TYPE, "[".repeat(MAX_BODY_BYTES), 400, "Cannot read the JSON"],
    [JSON_TYPE, `{"pixels":${"[".repeat(1e6)}${"]".repeat(1e6)}}`, 400, "Cannot read"],
    ["image/png", "", 400, "the body is empty"],
    ["image/png", "other", 400, "PNG signature"],
    [
      "image/png",
      pngFile(["IHDR", wide], ["IEND", new Uint8Array()]),
      413,
      `at most ${MAX_PIXELS} pixels: current size is 2097153x1`,
    ],
    [undefined, new Uint8Array(6), 415, "application/octet-stream, application/json, image/png"],
    ["", new Uint8Array(6), 415, "application/octet-stream, application/json, image/png"],
    ["image/gif", new Uint8Array(6), 415, "application/octet-stream, application/json, image/png"],
    ["multipart/mixed; boundary=x", new Uint8Array(6), 415, "content-type must be one of"],
  ];
  for (const [type, body, status, detail] of cases) {
    await assertProblem(await post(type, body), status, detail);
  }
});

Deno.test("POST /v1/classify lists the supported media types", async () => {
  const response = await post("text/plain", "x");
  assertEquals(response.headers.get("accept-post"), MEDIA_TYPES.join(", "));
  await assertProblem(response, 415, "content-type");
});

Deno.test("POST /v1/classify inflates no more of a compressed body than its limit", async () => {
  // 16 MB of zeros in 16 kB; a deflate stream can be continued after it.
  const zeros = new Uint8Array(
    deflateRawSync(new Uint8Array(1 << 24), { finishFlush: constants.Z_FULL_FLUSH }),
  );
  let sent = 0;
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller): void {
      controller.enqueue(sent === 0 ? new Uint8Array([0x78, 0x9c, ...zeros]) : zeros);
      sent += zeros.length;
    },
  });
  const headers = { "content-type": BYTES, "content-encoding": "deflate" };
  const request = new Request("http://localhost/v1/classify", { method: "POST", headers, body });
  await assertProblem(await app.fetch(request), 413, `at most ${MAX_BODY_BYTES} bytes`);
  assert(sent < 5 * zeros.length, `${sent} bytes were read`);
});

Deno.test("POST /v1/classify stops reading a body that does not end", async () => {
  let sent = 0, cancelled = false;
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller): void {
      sent += 65536;
      controller.enqueue(new Uint8Array(65536));
    },
    cancel(): void {
      cancelled = true;
    },
  });
  await assertProblem(await post(BYTES, body), 413, `at most ${MAX_BODY_BYTES} bytes`);
  assert(cancelled);
  assert(sent < 2 * MAX_BODY_BYTES, `${sent} bytes were read`);
});

Deno.test("POST /v1/classify answers a body that breaks off with 400", async () => {
  const body = new ReadableStream({ pull: (controller): void => controller.error(new Error("reset")) });
  await assertProblem(await post(BYTES, body), 400, "the connection was interrupted");
});

Deno.test("No body, content type or query causes an internal error", async () => {
  const json = fc.oneof(
    fc.json(),
    fc.anything({ maxDepth: 3 }).map((value) => {
      try {
        return JSON.stringify({ pixels: value }) ?? "";
      } catch {
        return "";
      }
    }),
    fc.array(fc.array(fc.double({ min: -1, max: 300 }), { minLength: 5, maxLength: 7 })).map((images) =>
      JSON.stringify({ images })
    ),
  );
  const body = fc.oneof(fc.uint8Array({ maxLength: 40 }), json, fc.string());
  const type = fc.oneof(
    fc.constantFrom(...MEDIA_TYPES, "multipart/form-data; boundary=x"),
    fc.stringMatching(/^[!-~]{0,20}$/),
  );
  const query = fc.oneof(
    fc.constant(""),
    fc.integer({ min: -1, max: 5 }).map((k) => `?top_k=${k}`),
    fc.webQueryParameters().map((query) => `?top_k=${query}`),
  );
  reports.length = 0;
  await fc.assert(
    fc.asyncProperty(type, body, query, async (type, body, query) => {
      const response = await post(type, body as BodyInit, query);
      const text = await response.text();
      if (response.status === 200) {
        const { predictions } = JSON.parse(text);
        for (const { error, score } of predictions) {
          if (error) assertMatch(`${error.status} ${error.detail}`, /^4(00|13|22) Cannot /);
          else assert(score > 0 && score <= 1, text);
        }
        return;
      }
      assert([400, 413, 415, 422].includes(response.status), `${response.status} ${text}`);
      assertEquals(response.headers.get("content-type"), "application/problem+json");
      assertMatch(JSON.parse(text).detail, /^Cannot /);
    }),
    // One image that can be read beside one that cannot.
    { numRuns: 1000, examples: [[JSON_TYPE, '{"images":[[0,0,0,0,0,0],[0,0,0,0,0]]}', ""]] },
  );
  assertEquals(reports, []);
});

Deno.test("Concurrent requests do not mix their answers", async () => {
  const answers = await Promise.all(Array.from({ length: 60 }, async (_, i) => {
    const image = new Uint8Array(6);
    image[i % 3] = 255;
    return (await (await post(BYTES, image)).json()).predictions[0].class_index;
  }));
  assertEquals(answers, Array.from({ length: 60 }, (_, i) => i % 3));
});
