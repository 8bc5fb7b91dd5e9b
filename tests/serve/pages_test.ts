import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { announceCard } from "../../serve/announce.ts";
import { createApp } from "../../serve/app.ts";
import { readConfig } from "../../serve/config.ts";
import { createLog } from "../../serve/log.ts";
import { MAX_MARKDOWN_LENGTH } from "../../serve/model_files.ts";
import { describeModel } from "../../shared/contract.ts";
import { Classifier } from "../../shared/inference/classifier.ts";
import { assertProblem } from "../helpers/http.ts";
import { tinyModel } from "../helpers/tiny_model.ts";

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

const app = createApp({
  load: () => Classifier.load(MODEL),
  report: (error) => {
    throw error;
  },
});

Deno.test("HEAD works on every GET route, without a body", async () => {
  for (
    const path of [
      "/",
      "/healthz",
      "/model",
      "/guide/deploy",
      "/v1/model",
      "/v1/model/file",
      "/playground/main.js",
    ]
  ) {
    const [get, head] = [await app.request(path), await app.request(path, { method: "HEAD" })];
    assertEquals(head.status, 200);
    assertEquals(await head.text(), "");
    // Each request has its own id.
    for (const { headers } of [get, head]) headers.delete("x-request-id");
    const length = String((await get.bytes()).length);
    assertEquals(Object.fromEntries(head.headers), {
      ...Object.fromEntries(get.headers),
      "content-length": length,
    });
  }
});

Deno.test("GET /v1/model returns the metadata of the model's file", async () => {
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
    feedback: false,
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
    !/<script(?! type="module" src="\/)|style=|(?:src|href|action)="(?!\/)/.test(page),
    "self-contained",
  );
});

Deno.test("GET /playground/{file} returns the files of the page, or 304 if they are unchanged", async () => {
  const page = await (await app.request("/")).text();
  const paths = [...page.matchAll(/(?:src|href)="(\/playground\/[^"]+)"/g)].map(([, path]) => path!);
  assertEquals(paths, ["/playground/icon.svg", "/playground/main.js"]);
  for (
    const path of [
      ...paths,
      "/playground/inference.js",
      "/playground/feedback.js",
      "/playground/service_worker.js",
    ]
  ) {
    const response = await app.request(path);
    assertEquals(response.status, 200, path);
    await response.body?.cancel();
    const headers = { "if-none-match": response.headers.get("etag")! };
    assertEquals((await app.request(path, { headers })).status, 304, path);
  }
  await assertProblem(await app.request("/playground/page.ts"), 404, "no such file");
  await assertProblem(await app.request("/playground/..%2fmain.ts"), 404, "");
});

Deno.test("GET /v1/model/file returns the ONNX file", async () => {
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

Deno.test("GET / works for a model without metrics", async () => {
  const app = createApp({ load: () => Classifier.load(tinyModel({ measured: false })), report: () => {} });
  const page = await (await app.request("/")).text();
  assertStringIncludes(page, "columns");
  assert(!/ accuracy on |undefined|NaN/.test(page));
});

const FILES = {
  card: "",
  plots: { "reliability.svg": "<svg xmlns='http://www.w3.org/2000/svg'/>" },
  examples: "",
};

/** An application with files beside its model. */
function appWith(version: string): ReturnType<typeof createApp> {
  const files = {
    ...FILES,
    card: `# Columns\n\n| | |\n| --- | --- |\n| version | \`${version}\` |\n\n<script>alert(1)</script>\n\n` +
      "![Reliability](reliability.svg)\n\n![Mistakes](mistakes.svg)\n",
    examples: JSON.stringify({
      version,
      note: "<b>Drawn</b>.",
      score: { images: 1000, correct: 300 },
      images: [{ label: "<right>", type: "image/png", data: "AAAA" }],
    }),
  };
  return createApp({
    load: () => Classifier.load(MODEL),
    files: () => Promise.resolve(files),
    report: () => {},
  });
}

Deno.test("GET /model shows the model card with its plots, and GET /v1/model sends browsers there", async () => {
  const { version } = await describeModel(MODEL);
  const app = appWith(version);
  const response = await app.request("/model");
  const page = await response.text();
  assertEquals(response.headers.get("content-type"), "text/html; charset=utf-8");
  assertStringIncludes(page, '<h1 id="columns">Columns</h1>');
  assertStringIncludes(page, '<img src="/model/reliability.svg" alt="Reliability"');
  assert(!page.includes("mistakes.svg"), "it is not served");
  assert(!page.includes("<script>"), "HTML in a card is text");
  const plot = await app.request("/model/reliability.svg");
  assertEquals([plot.headers.get("content-type"), await plot.text()], [
    "image/svg+xml",
    FILES.plots["reliability.svg"],
  ]);
  await assertProblem(await app.request("/model/mistakes.svg"), 404, "no such file");
  await assertProblem(await app.request("/model/MODEL_CARD.md"), 404, "no such file");
  const navigation = { headers: { accept: "text/html,application/xhtml+xml,*/*;q=0.8" } };
  const redirect = await app.request("/v1/model", navigation);
  assertEquals([redirect.status, redirect.headers.get("location")], [303, "/model"]);
  assertEquals((await app.request("/v1/model", { headers: { accept: "*/*" } })).status, 200);
});

Deno.test("GET /model renders a card once, and again when it has changed", async () => {
  const { version } = await describeModel(MODEL);
  let card = `\`${version}\` ![Plot](asked.svg)`, rendered = 0;
  // Asked for by the card only.
  const plots = new Proxy<Record<string, string>>({}, {
    getOwnPropertyDescriptor: (_, name) => void (name === "asked.svg" && rendered++),
  });
  const app = createApp({
    load: () => Classifier.load(MODEL),
    files: () => Promise.resolve({ card, plots }),
    report: () => {},
  });
  const page = async (): Promise<string> => await (await app.request("/model")).text();
  const first = await page();
  assertEquals(await page(), first);
  assertEquals(rendered, 1);
  card += " changed";
  assertStringIncludes(await page(), "changed");
  assertEquals(rendered, 2);
});

Deno.test("GET /model shows plots that appear beside the model later", async () => {
  const { version } = await describeModel(MODEL);
  const files = { card: `\`${version}\` ![Plot](reliability.svg)`, plots: {} };
  const app = createApp({
    load: () => Classifier.load(MODEL),
    files: () => Promise.resolve(files),
    report: () => {},
  });
  const hasPlot = async (): Promise<boolean> =>
    (await (await app.request("/model")).text()).includes('<img src="/model/reliability.svg"');
  assertEquals(await hasPlot(), false);
  files.plots = { "reliability.svg": "<svg/>" };
  assertEquals(await hasPlot(), true);
});

Deno.test("announceCard() warns of a card that is shown without formatting", () => {
  const lines: string[] = [];
  const log = createLog("warn", (line) => lines.push(line));
  announceCard(log, {});
  announceCard(log, { card: "a".repeat(MAX_MARKDOWN_LENGTH) });
  assertEquals(lines, []);
  announceCard(log, { card: "a".repeat(MAX_MARKDOWN_LENGTH + 1) });
  assertEquals(lines.length, 1);
  assertStringIncludes(lines[0]!, "it has 131073 characters");
});

Deno.test("GET / shows the examples of the model, with their score, and not those of another model", async () => {
  const { version } = await describeModel(MODEL);
  const page = await (await appWith(version).request("/")).text();
  assertStringIncludes(page, 'aria-label="&lt;right&gt;, example 1"');
  assertStringIncludes(
    page,
    "&lt;b&gt;Drawn&lt;/b&gt;. The model classifies 30 % of 1,000 such pictures correctly.",
  );
  const other = appWith("000000000000");
  assert(!(await (await other.request("/")).text()).includes("such pictures"));
  assertStringIncludes(
    await (await other.request("/model")).text(),
    "There is no model card beside its file",
  );
  await assertProblem(await other.request("/model/examples.json"), 404, "no such file");
});

Deno.test("GET /guide/{page} shows pages of docs/, whose links lead to other pages of the server", async () => {
  for (const name of ["own-images", "front-end", "deploy", "readme"]) {
    const response = await app.request(`/guide/${name}`);
    const page = await response.text();
    assertEquals(response.status, 200, name);
    for (const [, address] of page.matchAll(/href="(\/[^"#]*)/g)) {
      // The icon is a file of the playground.
      assertEquals((await app.request(address!)).status, 200, `${name} links to ${address}`);
    }
    for (const [, anchor] of page.matchAll(/href="#([^"]+)"/g)) {
      assertStringIncludes(page, `id="${anchor}"`, `${name} links to #${anchor}`);
    }
    assert(!/(?:href|src)="(?!\/|#|https?:)/.test(page), name);
    assert(
      !/(?:^|[^\\])\]\(|\*\*/.test(page.replace(/<code>[^]*?<\/code>/g, "")),
      `${name} has Markdown left`,
    );
  }
  await assertProblem(await app.request("/guide/toString"), 404, "no such page");
});
