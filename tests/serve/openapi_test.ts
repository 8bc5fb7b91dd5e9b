import { assert, assertEquals, assertGreater, assertMatch, assertStringIncludes } from "@std/assert";
import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import * as v from "valibot";
import { createApp } from "../../serve/app.ts";
import { decodeJson } from "../../serve/decode/json.ts";
import { describeApi } from "../../serve/openapi/document.ts";
import type { Json, Operation } from "../../serve/openapi/operation.ts";
import * as schemas from "../../serve/openapi/schemas.ts";
import { Classifier } from "../../shared/inference/classifier.ts";
import { shippedModel } from "../../serve/shipped_model.ts";
import { CACHING } from "../runtimes/caching.ts";
import { COMPRESSED } from "../runtimes/compressed.ts";
import { PROTOCOLS } from "../runtimes/protocols.ts";
import { REQUESTS } from "../runtimes/requests.ts";

const reports: unknown[] = [];
const app = createApp({
  load: () => Classifier.load(shippedModel),
  report: (error) => reports.push(error),
});
const document = describeApi(app.table);

const ajv = new Ajv2020({ strict: true, allowUnionTypes: true });
ajv.addSchema(
  { $id: "https://selvedge.test/", ...document, components: document.components },
  "document",
  false,
);
for (const keyword of Object.keys(document)) ajv.addKeyword(keyword);

/** A path of the application as the document writes it. */
function documented(path: string): string {
  return path.replace(/(.)\/$/, "$1").replace(/:(\w+)/g, "{$1}");
}

function operationOf(method: string, path: string): Operation | undefined {
  const name = Object.keys(document.paths).find((pattern) =>
    new RegExp(`^${pattern.replace(/\{\w+\}/g, "[^/]+")}$`).test(documented(path)) &&
    // Fixed paths win.
    (pattern === documented(path) || !document.paths[documented(path)])
  );
  return name === undefined ? undefined : document.paths[name]?.[method.toLowerCase()];
}

/** Whether the document has this very answer. */
async function check(method: string, path: string, response: Response): Promise<void> {
  const operation = operationOf(method, path);
  if (!operation) return assert([404, 405].includes(response.status), `${method} ${path} is not documented`);
  const described = operation.responses[response.status];
  const text = await response.text();
  assert(described, `${method} ${path}: status ${response.status} is not documented: ${text.slice(0, 200)}`);
  if (text === "" && !described.content) return;
  const mediaType = (response.headers.get("content-type") ?? "").split(";", 1)[0]!;
  const content = described.content?.[mediaType];
  assert(content, `${method} ${path}: ${response.status} with ${mediaType} is not documented`);
  const schema = content.schema as Json | undefined;
  if (!mediaType.endsWith("json") || !schema) return;
  const name = String(schema.$ref ?? "");
  if (name === "") return;
  const validate = ajv.getSchema(`https://selvedge.test/${name}`)!;
  assert(validate(JSON.parse(text)), `${method} ${path}: ${ajv.errorsText(validate.errors)} in ${text}`);
}

Deno.test("GET /openapi.json has every answer of the suite of requests", async (t) => {
  let checked = 0;
  const send = async (path: string, init?: RequestInit): Promise<Response> => {
    const response = await app.fetch(new Request(`http://localhost${path}`, init));
    if (init?.method !== "HEAD") {
      await check(init?.method ?? "GET", path.replace(/\?.*/, ""), response.clone());
      checked++;
    }
    return response;
  };
  for (const [name, request] of Object.entries({ ...REQUESTS, ...PROTOCOLS, ...CACHING, ...COMPRESSED })) {
    await t.step(name, () => request(send));
  }
  assertGreater(checked, 200);
  assertEquals(reports, []);
});

Deno.test("GET /openapi.json has every route, and no other", () => {
  const routes = app.routes.filter(({ method }) => method !== "ALL")
    .map(({ method, path }) => `${method} ${documented(path)}`);
  const described = Object.entries(document.paths)
    .flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`));
  assertEquals(described.sort(), [...new Set(routes)].sort());
});

Deno.test("GET /openapi.json is the document, and its references lead somewhere", async () => {
  const response = await app.request("/openapi.json");
  const text = await response.text();
  assertEquals(JSON.parse(text), JSON.parse(JSON.stringify(document)));
  for (const [, name] of text.matchAll(/"#\/components\/schemas\/(\w+)"/g)) {
    assert(document.components.schemas[name!], `${name} is missing`);
  }
  assert(!text.includes("{}}") || !/"items":\{\}/.test(text), "an element without a schema");
  for (const [name, schema] of Object.entries(document.components.schemas)) {
    assertGreater(Object.keys(schema).length, 0, name);
  }
});

Deno.test("GET /docs shows every path and schema, and allows nothing but its own style", async () => {
  const response = await app.request("/docs");
  const page = await response.text();
  assertEquals(response.headers.get("content-type"), "text/html; charset=utf-8");
  for (const path of Object.keys(document.paths)) assertStringIncludes(page, `<code>${path}</code>`);
  for (const name of Object.keys(document.components.schemas)) {
    assertStringIncludes(page, `<details id="${name}">`);
  }
  for (const [, id] of page.matchAll(/href="#(\w+)"/g)) assertStringIncludes(page, `<details id="${id}">`);
  const style = /<style>([^]*)<\/style>/.exec(page)![1]!;
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(style));
  const policy = response.headers.get("content-security-policy")!;
  assertStringIncludes(policy, `style-src 'sha256-${new Uint8Array(digest).toBase64()}'`);
  assertMatch(policy, /^default-src 'none';/);
  assert(!/<script|style=|\bsrc=|href="http|undefined/.test(page), "self-contained");
});

Deno.test("decodeJson() takes what the schema of its requests takes", async () => {
  const pixel = fc.oneof(
    { weight: 9, arbitrary: fc.integer({ min: 0, max: 255 }) },
    fc.constantFrom(-1, 256, null, "1", 0.5),
  );
  const pixels = fc.array(pixel, { minLength: 2, maxLength: 2 });
  const image = fc.oneof(pixels, fc.constant("AAAA"));
  const request = fc.oneof(
    fc.record({ pixels: image }),
    fc.record({ image }),
    fc.record({ images: fc.array(image, { minLength: 1, maxLength: 3 }) }),
    fc.record({ image, pixels }),
    fc.json().map((text) => JSON.parse(text)),
  );
  // What of a request the schema is about: its form, not the items of a batch, which stand or fall alone.
  await fc.assert(
    fc.asyncProperty(request, async (json) => {
      const bytes = new TextEncoder().encode(JSON.stringify(json));
      const read = async (): Promise<boolean> => {
        try {
          const options = { imageSize: 2, maxBatchSize: 10, readPicture: async () => {} };
          const { count, failures } = await decodeJson(bytes, options);
          return "images" in json || failures.size < count;
        } catch {
          return false;
        }
      };
      const validate = ajv.getSchema("https://selvedge.test/#/components/schemas/ClassifyRequest")!;
      const form = v.safeParse(schemas.ClassifyRequest, json).success;
      const promised = validate(json) as boolean;
      assert(form || !promised, "the document promises more than the schema takes");
      assertEquals(await read(), promised, JSON.stringify(json));
    }),
    { numRuns: 500 },
  );
});
