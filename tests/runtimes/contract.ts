/**
 * The part of the suite of requests that is generated from the server's own OpenAPI document: what the document allows is
 * accepted, and what it does not allow gets a status, a media type and a form that it names.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Document } from "../../serve/openapi/document.ts";
import type { Json } from "../../serve/openapi/operation.ts";
import { FAMILIARITY } from "../../shared/contract.ts";
import { ApiContract } from "../helpers/api_contract.ts";
import { allowedBy, changed, type Overrides } from "../helpers/schema_arbitrary.ts";
import { box, png } from "./protocol_helpers.ts";
import type { Send } from "./requests.ts";

const pixels = fc.tuple(
  fc.nat(4),
  fc.array(fc.tuple(fc.nat(783), fc.double({ min: 0, max: 255, noNaN: true })), { maxLength: 3 }),
)
  .map(([seed, changes]) => {
    const image = [...box(seed)];
    for (const [i, value] of changes) image[i] = value;
    return image;
  });
const picture = fc.tuple(fc.nat(4), fc.boolean()).map(([seed, isUri]) =>
  `${isUri ? "data:image/png;base64," : ""}${png(seed).toBase64()}`
);

/** JSON Schema cannot relate the numbers of a tensor to its shape and its type. */
const tensor = fc.tuple(
  fc.integer({ min: 1, max: 3 }),
  fc.constantFrom([784], [1, 28, 28], [28, 28]),
  fc.nat(),
)
  .map(([count, sides, choice]) => {
    const bytes = Array.from({ length: count }, (_, n) => [...box((choice + n) % 5)]).flat();
    const isByte = choice % 2 === 0, isNested = choice % 3 === 0;
    const shape = [count, ...sides];
    const data = isByte ? bytes : bytes.map((value) => value / 255);
    return {
      name: "image",
      shape,
      datatype: (isByte ? ["UINT8", "INT32", "INT64"] : ["FP32", "FP64"])[choice % (isByte ? 3 : 2)],
      data: isNested ? nest(data, shape) : data,
    };
  });

function nest(data: number[], [, ...inner]: number[]): unknown[] {
  if (inner.length === 0) return data;
  const size = inner.reduce((product, side) => product * side, 1);
  return Array.from(
    { length: data.length / size },
    (_, i) => nest(data.slice(i * size, (i + 1) * size), inner),
  );
}

const OVERRIDES: Overrides = { Pixels: pixels, Picture: picture, InferInput: tensor };

const HUGGING_FACE = "/models/{model}";

/** Whether the answer depends on more than the request: the server's store of feedback and its recent requests. */
const isStateful = (path: string): boolean => path.endsWith("/feedback");

interface Parameter {
  name: string;
  in: string;
  schema: Json;
}

/**
 * Name → requests, and what the responses must be.
 *
 * @param runs bodies of each kind; of parameters and media types there are many, so they get a few each
 */
export function contractRequests(runs: number): Record<string, (send: Send) => Promise<void>> {
  const few = Math.ceil(runs / 5);
  return {
    "accepts JSON that its document allows, and rejects other JSON as its document says": async (send) => {
      const contract = await contractOf(send);
      for (const { path, operation } of operations(contract.document)) {
        const schema = operation.requestBody?.content["application/json"]?.["schema"] as Json | undefined;
        if (!schema) continue;
        const name = String(schema["$ref"]).split("/").at(-1)!;
        const url = fill(path, parametersOf(operation));
        const allowed = allowedBy(schema, contract.document.components.schemas, OVERRIDES);
        const post = (value: unknown): Promise<Response> =>
          send(url, {
            method: "POST",
            headers: { "content-type": "application/json" },
            body: JSON.stringify(value),
          });
        await property(allowed, async (value) => {
          assert(contract.accepts(name, value), `the generator and the schema ${name} differ`);
          const response = await post(possibleOutputs(value));
          if (isStateful(path)) await contract.check("POST", path, response);
          else await assertAccepted(response, path);
        }, runs);
        await property(changed(allowed), async (value) => {
          const response = await post(value);
          if (!contract.accepts(name, value)) {
            // Each image of a batch is rejected by itself.
            const isRejected = response.status >= 400 || (await response.clone().text()).includes('"error"');
            assert(isRejected, `${path} accepts what its schema does not: ${show(value)}`);
          }
          await contract.check("POST", path, response);
        }, runs);
      }
    },

    "answers to bodies of every media type as its document says": async (send) => {
      const contract = await contractOf(send);
      const bodies: Record<string, () => BodyInit> = {
        "application/octet-stream": () => box(1),
        "image/png": () => png(1),
      };
      const bytes = fc.oneof(
        fc.uint8Array({ maxLength: 900 }),
        fc.tuple(fc.nat(200), fc.nat(255)).map(([i, byte]) => png(1).with(i % png(1).length, byte)),
      );
      for (const { path, operation } of operations(contract.document)) {
        if (!operation.requestBody) continue;
        const url = fill(path, parametersOf(operation));
        const types = Object.keys(operation.requestBody.content);
        for (const type of [...types, "text/plain", "image/gif", ""]) {
          const headers: Record<string, string> = type === "" ? {} : { "content-type": type };
          const body = path === HUGGING_FACE ? png(1) : bodies[type]?.();
          const isAllowed = types.includes(type) && body !== undefined && !/infer|json/.test(path + type) &&
            !isStateful(path);
          if (isAllowed) {
            await assertAccepted(await send(url, { method: "POST", headers, body }), `${path} ${type}`);
          }
          const schema = operation.requestBody.content[type]?.["schema"] as Json | undefined;
          if (schema?.["type"] === "string" && !schema["minLength"]) {
            const empty = await send(url, { method: "POST", headers, body: new Uint8Array() });
            await assertAccepted(empty, `${path} ${type}, empty`);
          }
          await property(bytes, async (body) => {
            const init = { method: "POST", headers, body: new Uint8Array(body) };
            await contract.check("POST", path, await send(url, init));
          }, few);
        }
      }
    },

    "answers to parameters and names of every kind as its document says": async (send) => {
      const contract = await contractOf(send);
      const text = fc.oneof(
        fc.string({ minLength: 1, maxLength: 20 }),
        fc.constantFrom("0", "-1", "1e3", "stat s", "%", "é"),
      );
      for (const { method, path, operation } of operations(contract.document)) {
        const parameters = parametersOf(operation);
        const init: RequestInit = { method, ...(method === "POST" && bodyFor(path)) };
        await contract.check(method, path, await send(fill(path, parameters), init));
        for (const parameter of parameters) {
          if (parameter.in === "query") {
            const allowed = allowedBy(parameter.schema, {}, {});
            const ask = (value: unknown): Promise<Response> =>
              send(
                `${fill(path, parameters)}?${new URLSearchParams({ [parameter.name]: String(value) })}`,
                init,
              );
            await property(
              allowed,
              async (value) => {
                const response = await ask(value);
                if (isStateful(path)) await contract.check(method, path, response);
                else await assertAccepted(response, `${path} ${parameter.name}`);
              },
              10,
            );
            await property(text, async (value) => await contract.check(method, path, await ask(value)), few);
          }
          if (parameter.in === "header") {
            await property(text, async (value) => {
              const headers = new Headers(init.headers);
              try {
                headers.set(parameter.name, value);
              } catch {
                return; // fetch() does not send it.
              }
              await contract.check(method, path, await send(fill(path, parameters), { ...init, headers }));
            }, few);
          }
          if (parameter.in === "path") {
            await property(text, async (value) => {
              // fetch() resolves these.
              if (value === "." || value === ".." || value === "stats") return;
              const segment = encodeURIComponent(value);
              const url = fill(path.replace(`{${parameter.name}}`, segment), parameters);
              await contract.check(method, path, await send(url, init));
            }, few);
          }
        }
      }
    },

    "answers 405 to methods that its document does not have": async (send) => {
      const { document } = await contractOf(send);
      for (const [path, methods] of Object.entries(document.paths)) {
        for (const method of ["GET", "POST", "PUT", "DELETE", "PATCH"]) {
          if (method.toLowerCase() in methods) continue;
          const parameters = parametersOf(Object.values(methods)[0]!);
          const response = await send(fill(path, parameters), { method });
          await response.body?.cancel();
          assertEquals(response.status, 405, `${method} ${path}`);
          const allow = Object.keys(methods).map((name) => name.toUpperCase());
          for (const name of allow) assert(response.headers.get("allow")!.includes(name));
        }
      }
    },
  };
}

async function contractOf(send: Send): Promise<ApiContract> {
  return new ApiContract(await (await send("/openapi.json")).json());
}

type Operation = Document["paths"][string][string];

function parametersOf({ parameters = [] }: Operation): Parameter[] {
  return parameters as unknown[] as Parameter[];
}

function operations(document: Document): { method: string; path: string; operation: Operation }[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation }))
  );
}

/** A path of the server: the document has an example of each parameter that names the model. */
function fill(path: string, parameters: Parameter[] = []): string {
  return path.replace(/\{(\w+)\}/g, (_, name) => {
    const schema = parameters.find((parameter) => parameter.name === name)!.schema;
    return (schema["examples"] as string[] | undefined)?.[0] ?? "main.js";
  });
}

function bodyFor(path: string): { headers: Record<string, string>; body: BodyInit } {
  if (path.endsWith("/classify")) {
    return { headers: { "content-type": "application/octet-stream" }, body: box(1) };
  }
  if (path.startsWith("/v2/repository")) {
    return { headers: { "content-type": "application/json" }, body: "{}" };
  }
  if (path === HUGGING_FACE) return { headers: { "content-type": "image/png" }, body: png(1) };
  const inputs = [{ name: "image", datatype: "UINT8", shape: [1, 784], data: [...box(1)] }];
  return { headers: { "content-type": "application/json" }, body: JSON.stringify({ inputs }) };
}

/** JSON Schema cannot say that an output must not be named twice, and that the familiarity has no classes. */
function possibleOutputs(value: unknown): unknown {
  const { outputs } = value as { outputs?: { name: string; parameters?: Json }[] };
  if (!outputs) return value;
  const once = outputs.filter(({ name }, i) => outputs.findIndex((other) => other.name === name) === i);
  for (const { name, parameters } of once) if (name === FAMILIARITY) delete parameters?.["classification"];
  return { ...value as Json, outputs: once };
}

async function assertAccepted(response: Response, what: string): Promise<void> {
  const text = await response.text();
  assertEquals(response.status, 200, `${what}: ${text.slice(0, 400)}`);
  assert(!text.includes('"error"'), `${what}: ${text.slice(0, 400)}`);
}

async function property<T>(
  values: fc.Arbitrary<T>,
  check: (value: T) => Promise<void>,
  numRuns: number,
): Promise<void> {
  await fc.assert(fc.asyncProperty(values, check), { numRuns });
}

function show(value: unknown): string {
  return JSON.stringify(value)?.slice(0, 400);
}
