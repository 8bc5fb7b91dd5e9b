import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { createApp } from "../../serve/app.ts";
import { readConfig } from "../../serve/config.ts";
import { describeModel } from "../../shared/contract.ts";
import { Classifier } from "../../shared/inference/classifier.ts";
import { writeOnnx } from "../../shared/onnx/write.ts";
import { mlpToOnnx } from "../../train/artifact/export.ts";
import { encodePng, headerOf, pngFile, type PngSource } from "../helpers/png_encoder.ts";
import { tinyModel } from "../helpers/tiny_model.ts";

// Images are 3×2 pixels, and each label is the sum of one column: "left", "middle", "<right>".
const MODEL = tinyModel();
const { maxBodyBytes: MAX_BODY_BYTES, maxBatch: MAX_IMAGES, maxPixels: MAX_PIXELS } = readConfig();
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

async function assertProblem(response: Response, status: number, detail: string): Promise<void> {
  const text = await response.text();
  assertEquals(response.status, status, text);
  assertEquals(response.headers.get("content-type"), "application/problem+json");
  const problem = JSON.parse(text);
  assertEquals(Object.keys(problem), ["type", "title", "status", "detail"]);
  assertEquals(problem.type, "about:blank");
  assertEquals(problem.status, status);
  assertStringIncludes(problem.detail, detail);
  assert(!/\n\s+at |file:|\.ts\b/.test(text), `a stack or a path in ${text}`);
}

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
      sample: (_x, _y, c) => c === 2 ? 200 : 20,
    });
    return await app.request("/v1/classify", {
      method: "POST",
      headers: { "content-type": "image/png" },
      body: png,
    });
  };
  assertEquals((await (await answer(3)).json()).predictions[0].label, "blue");
  await assertProblem(await answer(2), 400, "the model takes neither grey nor RGB images");
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
  const body = encodePng({
    width: 60,
    height: 40,
    depth: 8,
    colour: 0,
    interlaced: false,
    filters: [0],
    sample: (x, y) => x >= 50 && y < 20 ? 0 : 255,
  });
  const [{ label, score }] = (await (await post("image/png", body)).json()).predictions;
  // Twice as high as wide: one full column, in the middle.
  assertEquals(label, "middle");
  assert(Math.abs(score - Math.E ** 2 / (Math.E ** 2 + 2)) < 1e-6);
});

Deno.test("POST /v1/classify gives as many classes as top_k asks for", async () => {
  const image = new Uint8Array(6);
  for (const k of [1, 2, 3]) {
    const [{ top }] = (await (await post(BYTES, image, `?top_k=${k}`)).json()).predictions;
    assertEquals(top.length, k);
  }
  for (const k of ["0", "4", "-1", "1.5", "", "x", "1e0", "%ff", "99999999999", "NaN"]) {
    await assertProblem(await post(BYTES, image, `?top_k=${k}`), 400, "top_k must be an integer in 1..3");
  }
});

Deno.test("POST /v1/classify says what is wrong with a body", async () => {
  const wide = headerOf({ width: MAX_PIXELS + 1, height: 1, depth: 8, colour: 0, interlaced: false });
  const cases: [string | undefined, BodyInit, number, string][] = [
    [BYTES, "", 400, "the body is empty"],
    [BYTES, new Uint8Array(5), 400, "a multiple of 6 bytes, one a pixel: current length is 5"],
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
    [JSON_TYPE, '{"image": "R0lGODlh"}', 400, "no PNG, JPEG or WebP"],
    [JSON_TYPE, '{"image": "?"}', 400, "it must be base64 or a data URI"],
    [JSON_TYPE, '{"image": "data:image/png,abc"}', 400, "data:<media type>;base64"],
    ["image/jpeg", "GIF89a", 400, "JPEG signature"],
    ["image/webp", "GIF89a", 400, "WebP signature"],
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
    ["image/png", "GIF89a", 400, "PNG signature"],
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

Deno.test("POST /v1/classify tells which media types it reads", async () => {
  const response = await post("text/plain", "x");
  assertEquals(response.headers.get("accept-post"), MEDIA_TYPES.join(", "));
  await assertProblem(response, 415, "content-type");
});

Deno.test("POST /v1/classify does not inflate a compressed body", async () => {
  const request = new Request("http://localhost/v1/classify", {
    method: "POST",
    headers: { "content-type": BYTES, "content-encoding": "gzip" },
    body: new Uint8Array(6),
  });
  await assertProblem(await app.fetch(request), 415, "must not be compressed");
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
  await assertProblem(await post(BYTES, body), 400, "the connection broke");
});

Deno.test("No body, content-type or query makes an error of the server's own", async () => {
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
        for (const { score } of predictions) assert(score > 0 && score <= 1);
        return;
      }
      assert([400, 413, 415].includes(response.status), `${response.status} ${text}`);
      assertEquals(response.headers.get("content-type"), "application/problem+json");
      assertMatch(JSON.parse(text).detail, /^Cannot /);
    }),
    { numRuns: 1000 },
  );
  assertEquals(reports, []);
});

Deno.test("No path or method makes an error of the server's own", async () => {
  const path = fc.oneof(
    fc.constantFrom(...app.routes.map(({ path }) => path)),
    fc.webPath(),
    fc.stringMatching(/^\/[!-~]{0,30}$/),
  );
  const method = fc.constantFrom(
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "PROPFIND",
    "get",
  );
  reports.length = 0;
  await fc.assert(
    fc.asyncProperty(path, method, async (path, method) => {
      const response = await app.fetch(new Request(`http://localhost${path}`, { method }));
      const text = await response.text();
      assert(response.status < 500, `${method} ${path} ${response.status}`);
      if (response.status < 400) return;
      const isPlain = /^\/(v2|models)(\/|$)/.test(new URL(`http://localhost${path}`).pathname);
      const type = isPlain ? "application/json" : "application/problem+json";
      assertEquals(response.headers.get("content-type"), type);
      assert((response.status === 405) === response.headers.has("allow"));
      if (method === "HEAD") return;
      const problem = JSON.parse(text);
      if (isPlain) assertEquals(Object.keys(problem), ["error"]);
      else assertEquals(problem.status, response.status);
    }),
    { numRuns: 500 },
  );
  assertEquals(reports, []);
});

Deno.test("A path that exists for other methods is answered with 405 and Allow", async () => {
  for (const path of ["/", "/healthz", "/v1/model"]) {
    const response = await app.request(path, { method: "POST" });
    assertEquals(response.headers.get("allow"), "GET, HEAD");
    await assertProblem(response, 405, "GET, HEAD");
  }
  const response = await app.request("/v1/classify");
  assertEquals(response.headers.get("allow"), "POST");
  await assertProblem(response, 405, "POST");
  await assertProblem(await app.request("/v1/classify/"), 404, "nothing at this path");
  await assertProblem(await app.request("/v1"), 404, "nothing at this path");
});

Deno.test("HEAD works wherever GET does, without a body", async () => {
  for (const path of ["/", "/healthz", "/v1/model", "/v1/model/file", "/playground/main.js"]) {
    const [get, head] = [await app.request(path), await app.request(path, { method: "HEAD" })];
    assertEquals(head.status, 200);
    assertEquals(await head.text(), "");
    // Each request has its own id.
    for (const { headers } of [get, head]) headers.delete("x-request-id");
    assertEquals([...head.headers], [...get.headers]);
    await get.body?.cancel();
  }
});

Deno.test("GET /v1/model says what the model's file says", async () => {
  const response = await app.request("/v1/model");
  assertEquals(await response.json(), {
    name: "columns",
    version: (await describeModel(MODEL)).version,
    labels: ["left", "middle", "<right>"],
    input: { channels: 1, height: 2, width: 3 },
    metrics: { test: { images: 10, accuracy: 0.9, loss: 0.5 } },
    provenance: {
      dataset: { name: "Columns", sha256: "0".repeat(64) },
      recipe: { epochs: 1 },
      seed: 7,
      backend: "cpu",
      code_version: "0.0.0",
    },
    accepts: MEDIA_TYPES,
    limits: { body_bytes: MAX_BODY_BYTES, images: MAX_IMAGES, pixels: MAX_PIXELS },
  });
});

Deno.test("GET / shows the model and allows nothing but its own style and scripts", async () => {
  const response = await app.request("http://example.org/");
  const page = await response.text();
  assertEquals(response.headers.get("content-type"), "text/html; charset=utf-8");
  for (
    const part of ["columns", "90.00 %", "10 test images", "&lt;right&gt;", "http://example.org/v1/classify"]
  ) {
    assertStringIncludes(page, part);
  }
  assert(!page.includes("<right>"), "labels must be escaped");
  const style = /<style>([^]*)<\/style>/.exec(page)![1]!;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(style)));
  assertEquals(
    response.headers.get("content-security-policy"),
    `default-src 'none'; style-src 'sha256-${digest.toBase64()}'; script-src 'self' 'wasm-unsafe-eval'; ` +
      "connect-src 'self'; img-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; " +
      "frame-ancestors 'none'",
  );
  assert(
    !/<script(?! type="module" src="\/)|style=|https?:\/\/(?!example\.org)/.test(page),
    "self-contained",
  );
});

Deno.test("GET /playground/{file} gives what the page asks for, and says when it is still the same", async () => {
  const page = await (await app.request("/")).text();
  const paths = [...page.matchAll(/(?:src|href)="(\/playground\/[^"]+)"/g)].map(([, path]) => path!);
  assertEquals(paths, ["/playground/icon.svg", "/playground/main.js"]);
  for (const path of [...paths, "/playground/inference.js", "/playground/service_worker.js"]) {
    const response = await app.request(path);
    assertEquals(response.status, 200, path);
    await response.body?.cancel();
    const headers = { "if-none-match": response.headers.get("etag")! };
    assertEquals((await app.request(path, { headers })).status, 304, path);
  }
  await assertProblem(await app.request("/playground/page.ts"), 404, "no such file");
  await assertProblem(await app.request("/playground/..%2fmain.ts"), 404, "");
});

Deno.test("GET /v1/model/file gives the ONNX file", async () => {
  const response = await app.request("/v1/model/file");
  assertEquals(response.headers.get("cache-control"), "no-cache");
  assertEquals(response.headers.get("content-disposition"), 'attachment; filename="columns.onnx"');
  assertEquals(await response.bytes(), new Uint8Array(MODEL));
  const { version } = await describeModel(MODEL);
  for (const [asked, kept] of [[version, true], ["000000000000", false]] as const) {
    const response = await app.request(`/v1/model/file?version=${asked}`);
    assertEquals(response.headers.get("cache-control")!.includes("immutable"), kept);
    await response.body?.cancel();
  }
});

Deno.test("GET / makes do with a model that has no metrics", async () => {
  const app = createApp({ load: () => Classifier.load(tinyModel({ measured: false })), report: () => {} });
  const page = await (await app.request("/")).text();
  assertStringIncludes(page, "columns");
  assert(!/ right on |undefined|NaN/.test(page));
});

Deno.test("A model that cannot be loaded is 503 until it can", async () => {
  const errors: unknown[] = [];
  let attempts = 0;
  const app = createApp({
    load: () =>
      ++attempts < 3 ? Promise.reject(new Error("/secret/path is missing")) : Classifier.load(MODEL),
    report: (error) => errors.push(error),
  });
  await assertProblem(await app.request("/healthz"), 503, "The model cannot be loaded");
  await assertProblem(await app.request("/"), 503, "The model cannot be loaded");
  assertEquals(errors.map(String), Array(2).fill("Error: /secret/path is missing"));
  assertEquals(await (await app.request("/healthz")).json(), { status: "ok" });
  await app.request("/healthz");
  assertEquals(attempts, 3, "a model that is loaded is kept");
});

Deno.test("Many first requests load the model once", async () => {
  let loads = 0;
  const app = createApp({
    load: () => {
      loads++;
      return Classifier.load(MODEL);
    },
    report: (error) => reports.push(error),
  });
  const responses = await Promise.all(Array.from({ length: 20 }, () => app.request("/healthz")));
  assertEquals(new Set(responses.map((response) => response.status)), new Set([200]));
  assertEquals(loads, 1);
});

Deno.test("An error of the server's own is 500, tells nothing, and is reported", async () => {
  const errors: unknown[] = [];
  const model = await Classifier.load(MODEL);
  const app = createApp({ load: () => Promise.resolve(model), report: (error) => errors.push(error) });
  assertEquals((await app.request("/readyz")).status, 200);
  await model.close();
  const response = await app.request("/v1/classify", {
    method: "POST",
    headers: { "content-type": BYTES },
    body: new Uint8Array(6),
  });
  await assertProblem(response, 500, "An error of the server's own, which has been logged");
  assertEquals(errors.length, 1);
});

Deno.test("Concurrent requests do not mix their answers", async () => {
  const answers = await Promise.all(Array.from({ length: 60 }, async (_, i) => {
    const image = new Uint8Array(6);
    image[i % 3] = 255;
    return (await (await post(BYTES, image)).json()).predictions[0].class_index;
  }));
  assertEquals(answers, Array.from({ length: 60 }, (_, i) => i % 3));
});
