/**
 * The OpenAPI document (https://spec.openapis.org/oas/v3.1.1.html): operations come from the tables of routes, and
 * schemas are generated from those that validate requests.
 *
 * @module
 */
import { type ConversionConfig, toJsonSchemaDefs } from "@valibot/to-json-schema";
import project from "../../deno.json" with { type: "json" };
import { plainError } from "../problem.ts";
import type { DescribedRoute } from "../protocols/protocol.ts";
import type { ModelDescription } from "../../shared/contract.ts";
import type { Config } from "../config.ts";
import { promiseOf } from "./bounded.ts";
import { errors, type Json, type Operation, otherFailure, problems, ref, type Tag } from "./operation.ts";
import * as schemas from "./schemas.ts";
import { inferExample, specializeParameters, specializeSchemas } from "./specialize.ts";

/** An OpenAPI document, with the fields that we use. */
export interface Document {
  openapi: string;
  info: { title: string; version: string; description: string; contact: Json; license: Json };
  servers: { url: string; description: string }[];
  tags: { name: Tag; description: string }[];
  paths: Record<string, Record<string, Operation & { security?: Json[] }>>;
  components: { schemas: Record<string, Json>; securitySchemes: Json };
  security: Json[];
}

const CONVERSION: ConversionConfig = {
  target: "draft-2020-12",
  // Some schemas promise what valibot cannot know.
  errorMode: "ignore",
  overrideSchema: ({ valibotSchema, jsonSchema }) => {
    const promise = promiseOf(valibotSchema);
    return promise ? { ...jsonSchema, ...promise } : null;
  },
  overrideRef: ({ referenceId }) => `#/components/schemas/${referenceId}`,
};

const NOT_MODIFIED = { description: "The content has not changed since the entity tag of `If-None-Match`" };

const MALFORMED = {
  description: "The HTTP server rejects the request, such as one with headers that are too long",
};

/** The model, for which requests can be described exactly. */
export interface KnownModel {
  description: ModelDescription;
  config: Config;
}

/** Makes the document. */
export function describeApi(routes: readonly DescribedRoute[], model?: KnownModel): Document {
  const components = toJsonSchemaDefs(schemas, CONVERSION) as unknown as Record<string, Json>;
  if (model) specializeSchemas(components, model.description, model.config);
  return {
    openapi: "3.1.1",
    info: {
      title: "Selvedge",
      version: project.version,
      description: "A small image classifier. Native protocol, Open Inference Protocol V2 and Hugging Face.",
      contact: { name: "Selvedge" },
      license: { name: project.license, identifier: project.license },
    },
    // Relative to the document, so wherever the server is.
    servers: [{ url: "/", description: "This server" }],
    tags: [
      { name: "Native", description: "Images in, labels out" },
      { name: "Hugging Face", description: "The image classification task, for existing clients" },
      {
        name: "Open Inference Protocol",
        description: "V2, REST, with Triton's extensions; all paths also work with a slash at their end",
      },
      { name: "Operation", description: "Health, metrics and documentation" },
    ],
    paths: pathsOf(routes, model),
    components: {
      schemas: components,
      securitySchemes: { key: { type: "http", scheme: "bearer" } },
    },
    // A key, or none if the server requires none.
    security: [{ key: [] }, {}],
  };
}

/** Tensors that are longer would only fill the page. */
const MAX_EXAMPLE = 4096;

/** Inference needs an example of the size of the model. */
function withExample({ requestBody }: Operation, model?: ModelDescription): Pick<Operation, "requestBody"> {
  const json = requestBody?.content["application/json"];
  if (!model || (json?.["schema"] as Json | undefined)?.["$ref"] !== ref("InferRequest")["$ref"]) return {};
  const { channels, height, width } = model.input;
  if (channels * height * width > MAX_EXAMPLE) return {};
  const content = { ...requestBody!.content, "application/json": { ...json, example: inferExample(model) } };
  return { requestBody: { ...requestBody!, content } };
}

function pathsOf(routes: readonly DescribedRoute[], model?: KnownModel): Document["paths"] {
  const paths: Document["paths"] = {};
  for (const { method, path, access, operation, cacheable, format } of routes) {
    const isPlain = format === plainError, failures = isPlain ? errors : problems;
    const parameters = model && specializeParameters(operation.parameters, model.description, model.config);
    (paths[path.replace(/:(\w+)/g, "{$1}")] ??= {})[method.toLowerCase()] = {
      ...operation,
      ...(parameters && { parameters }),
      ...withExample(operation, model?.description),
      responses: {
        ...operation.responses,
        ...(cacheable && { 304: NOT_MODIFIED }),
        ...((access === "key" || access === "admin") && failures(401)),
        ...(access === "probe" ? { "4XX": MALFORMED } : failures(429)),
        default: otherFailure(isPlain),
      },
      ...(access !== "key" && access !== "admin" && { security: [] }),
    };
  }
  return paths;
}
