import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { createApp } from "../../serve/app.ts";
import { createLog, describeError } from "../../serve/log.ts";
import { InputError } from "../../shared/errors.ts";
import { Classifier } from "../../shared/inference/classifier.ts";
import { assertProblem } from "../helpers/http.ts";
import { encodePng } from "../helpers/png_encoder.ts";
import { tinyModel } from "../helpers/tiny_model.ts";

const MODEL = tinyModel();
const BYTES = "application/octet-stream";

const reports: unknown[] = [];
const app = createApp({ load: () => Classifier.load(MODEL), report: (error) => reports.push(error) });

Deno.test("No path or method causes an internal error", async () => {
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
  await assertProblem(await app.request("/v1/classify/"), 404, "GET /docs lists all routes");
  await assertProblem(await app.request("/v1"), 404, "GET /docs lists all routes");
});

Deno.test("A model that cannot be loaded is 503 until it can", async () => {
  const errors: unknown[] = [];
  let attempts = 0;
  const app = createApp({
    load: () =>
      ++attempts < 3 ? Promise.reject(new Error("/secret/path is missing")) : Classifier.load(MODEL),
    report: (error) => errors.push(error),
  });
  await assertProblem(await app.request("/readyz"), 503, "The model cannot be loaded");
  await assertProblem(await app.request("/"), 503, "The model cannot be loaded");
  assertEquals(errors.map(String), Array(2).fill("Error: /secret/path is missing"));
  assertEquals(await (await app.request("/readyz")).json(), { status: "ok" });
  await app.request("/readyz");
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
  const responses = await Promise.all(Array.from({ length: 20 }, () => app.request("/readyz")));
  assertEquals(new Set(responses.map((response) => response.status)), new Set([200]));
  assertEquals(loads, 1);
});

Deno.test("A bug in the model is answered with 500, reveals nothing, and is reported", async () => {
  const errors: unknown[] = [];
  const model = await Classifier.load(MODEL);
  const app = createApp({ load: () => Promise.resolve(model), report: (error) => errors.push(error) });
  assertEquals((await app.request("/readyz")).status, 200);
  await model.close();
  const response = await app.request("/v1/classify", {
    method: "POST",
    headers: { "content-type": BYTES },
    body: Uint8Array.of(1, 2, 3, 4, 5, 6),
  });
  await assertProblem(response, 500, "Internal server error");
  assertEquals(errors.length, 1);
});

Deno.test("A bug in the decoding path is answered with 500 and logged, not blamed on the client", async () => {
  const model = await Classifier.load(MODEL);
  const lines: string[] = [];
  const log = createLog("error", (line) => lines.push(line));
  const app = createApp({
    load: () => Promise.resolve(model),
    report: (error) => log("error", "failure", { error: describeError(error) }),
    log,
  });
  assertEquals((await app.request("/readyz")).status, 200);
  // Images are now fitted into more pixels than there is room for, so V8 throws a RangeError.
  Object.assign(model, {
    description: { ...model.description, input: { channels: 1, height: 3, width: 3 } },
  });
  const png = encodePng({
    width: 5,
    height: 4,
    depth: 8,
    colour: 0,
    interlaced: false,
    filters: [0],
    sample: (x) => x,
  });
  const bodies: [string, string, BodyInit][] = [
    ["/v1/classify", "image/png", png],
    ["/v1/classify", "application/json", JSON.stringify({ images: [[0, 0, 0, 0, 0, 0], png.toBase64()] })],
    ["/models/columns", "image/png", png],
  ];
  for (const [path, type, body] of bodies) {
    const response = await app.request(path, { method: "POST", headers: { "content-type": type }, body });
    const text = await response.text();
    assertEquals(response.status, 500, text);
    assert(!text.includes("bounds"), text);
    const { level, error } = JSON.parse(lines.pop()!);
    assertEquals(level, "error");
    assertMatch(error, /^RangeError: offset is out of bounds[^]*decode\/picture\.ts/);
  }
});

Deno.test("describeError() gives the stack of a bug, and of a mistake only what to do", () => {
  assertMatch(
    describeError(new TypeError("no", { cause: new Error("why") })),
    /^TypeError: no\n +at .*\nCaused by: Error: why\n/s,
  );
  const mistake = new InputError("invalid-format", "Cannot read the model", { hint: "Train another" });
  assertEquals(describeError(mistake), "Cannot read the model. Train another");
});
