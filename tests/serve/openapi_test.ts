import { assert, assertEquals, assertGreater, assertMatch, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import * as v from "valibot";
import { createApp } from "../../serve/app.ts";
import { decodeJson } from "../../serve/decode/json.ts";
import { describeApi } from "../../serve/openapi/document.ts";
import * as schemas from "../../serve/openapi/schemas.ts";
import { Classifier } from "../../shared/inference/classifier.ts";
import { shippedModel } from "../../serve/shipped_model.ts";
import { readConfig } from "../../serve/config.ts";
import { ApiContract } from "../helpers/api_contract.ts";
import { contractRequests } from "../runtimes/contract.ts";
import { CACHING } from "../runtimes/caching.ts";
import { COMPRESSED } from "../runtimes/compressed.ts";
import { PROTOCOLS } from "../runtimes/protocols.ts";
import { REQUESTS } from "../runtimes/requests.ts";

const reports: unknown[] = [];
const app = createApp({
  load: () => Classifier.load(shippedModel),
  report: (error) => reports.push(error),
});
const { document } = new ApiContract(await (await app.request("/openapi.json")).json());
const contract = new ApiContract(document);

/** A path of the application as the document writes it. */
function documented(path: string): string {
  return path.replace(/(.)\/$/, "$1").replace(/:(\w+)/g, "{$1}");
}

/** The document's path for one of the application. */
function patternOf(path: string): string | undefined {
  // Fixed paths win.
  if (document.paths[documented(path)]) return documented(path);
  return Object.keys(document.paths).find((pattern) =>
    new RegExp(`^${pattern.replace(/\{\w+\}/g, "[^/]+")}$`).test(documented(path))
  );
}

/** Whether the document has this very answer. */
async function check(method: string, path: string, response: Response): Promise<void> {
  const pattern = patternOf(path);
  if (pattern !== undefined && document.paths[pattern]![method.toLowerCase()]) {
    return await contract.check(method, pattern, response);
  }
  assert([404, 405].includes(response.status), `${method} ${path} is not documented`);
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

Deno.test("The application does what its OpenAPI document says", async (t) => {
  const send = async (path: string, init?: RequestInit): Promise<Response> =>
    await app.fetch(new Request(`http://localhost${path}`, init));
  for (const [name, request] of Object.entries(contractRequests(40))) await t.step(name, () => request(send));
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
  assertEquals(
    JSON.parse(text),
    JSON.parse(JSON.stringify(describeApi(app.table, {
      description: app.models.loaded()[0]!.description,
      config: readConfig(),
    }))),
  );
  for (const [, name] of text.matchAll(/"#\/components\/schemas\/(\w+)"/g)) {
    assert(document.components.schemas[name!], `${name} is missing`);
  }
  assert(!text.includes("{}}") || !/"items":\{\}/.test(text), "an element without a schema");
  for (const [name, schema] of Object.entries(document.components.schemas)) {
    assertGreater(Object.keys(schema).length, 0, name);
  }
});

Deno.test("GET /docs shows every path and schema once, and allows nothing but its own style and script", async () => {
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
  assertMatch(policy, /^default-src 'none';.* script-src 'self'; connect-src 'self';/);
  const own = page.replace('<script type="module" src="/playground/docs.js"></script>', "");
  assert(!/<script|style=|\bsrc=|href="http|undefined/.test(own), "self-contained");
  assertStringIncludes(page, '<a href="/">Home</a>');
  // The forms with and without a slash at the end are one request.
  assert(!/<code>[^<]+\/<\/code>/.test(page.replace("<code>/</code>", "")));
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
  const small = new ApiContract(describeApi(app.table));
  // What of a request the schema is about: its form, not the items of a batch, which stand or fall alone.
  await fc.assert(
    fc.asyncProperty(request, async (json) => {
      const bytes = new TextEncoder().encode(JSON.stringify(json));
      const read = async (): Promise<boolean> => {
        try {
          const options = {
            imageSize: 2,
            maxBatchSize: 10,
            readPicture: async () => {},
            turn: async () => {},
          };
          const { count, failures } = await decodeJson(bytes, options);
          return "images" in json || failures.size < count;
        } catch {
          return false;
        }
      };
      const form = v.safeParse(schemas.ClassifyRequest, json).success;
      const promised = small.accepts("ClassifyRequest", json);
      assert(form || !promised, "the document promises more than the schema takes");
      assert(await read() || !promised, JSON.stringify(json));
    }),
    { numRuns: 500 },
  );
});
