/**
 * The OpenAPI document (https://spec.openapis.org/oas/v3.1.1.html): paths and words are written here, shapes are
 * generated from the schemas that validate requests.
 *
 * @module
 */
import { type ConversionConfig, toJsonSchemaDefs } from "@valibot/to-json-schema";
import project from "../../deno.json" with { type: "json" };
import { type Config, DEFAULT_TOP_K } from "../config.ts";
import { promiseOf } from "./bounded.ts";
import * as schemas from "./schemas.ts";

/** JSON. */
export type Json = Record<string, unknown>;

/** One method of one path, as far as we fill it. */
export interface Operation {
  tags: string[];
  summary: string;
  description?: string;
  parameters?: Json[];
  requestBody?: { required: boolean; content: Record<string, Json> };
  responses: Record<string, { description: string; headers?: Json; content?: Record<string, Json> }>;
  security?: Json[];
}

export interface Document {
  openapi: string;
  info: { title: string; version: string; description: string; license: Json };
  tags: { name: string; description: string }[];
  paths: Record<string, Record<string, Operation>>;
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

/** Makes the document. */
export function describeApi(config: Config): Document {
  return {
    openapi: "3.1.1",
    info: {
      title: "Selvedge",
      version: project.version,
      description: "A small image classifier. Native protocol, Open Inference Protocol V2 and Hugging Face.",
      license: { name: project.license, identifier: project.license },
    },
    tags: [
      { name: "Native", description: "Images in, labels out" },
      { name: "Hugging Face", description: "The image classification task, for its clients" },
      { name: "Open Inference Protocol", description: "V2, REST, with Triton's extensions" },
      { name: "Operation", description: "Health, metrics and documentation" },
    ],
    paths: paths(config),
    components: {
      schemas: toJsonSchemaDefs(schemas, CONVERSION) as unknown as Record<string, Json>,
      securitySchemes: { key: { type: "http", scheme: "bearer" } },
    },
    // A key, or none where the server asks for none.
    security: [{ key: [] }, {}],
  };
}

type Name = keyof typeof schemas;

function ref(name: Name): Json {
  return { $ref: `#/components/schemas/${name}` };
}

function json(
  name: Name,
  description: string,
  mediaType = "application/json",
): Operation["responses"][string] {
  return { description, content: { [mediaType]: { schema: ref(name) } } };
}

/** Every answer that is no success has one of these forms. */
function problems(...statuses: (keyof typeof FAILURES)[]): Operation["responses"] {
  return Object.fromEntries(
    statuses.map((status) => [status, json("Problem", FAILURES[status], "application/problem+json")]),
  );
}

function errors(...statuses: (keyof typeof FAILURES)[]): Operation["responses"] {
  return Object.fromEntries(statuses.map((status) => [status, json("PlainError", FAILURES[status])]));
}

const FAILURES = {
  400: "The request makes no sense",
  404: "There is no such model, version or file",
  408: "The body took too long to arrive",
  413: "The body, a picture or a batch is too large",
  415: "The body has a type that is not read, or is compressed",
  501: "The counters of one of many servers would mislead",
  503: "The model is not ready, or the server is busy; `Retry-After` says when to come again",
} as const;

const BINARY: Json = { schema: { type: "string", contentMediaType: "application/octet-stream" } };

function query(name: string, schema: Json, description: string): Json {
  return { name, in: "query", required: false, schema, description };
}

function paths(config: Config): Document["paths"] {
  const limits = `At most ${config.maxBodyBytes} bytes, ${config.maxBatch} images, and ` +
    `${config.maxPixels} pixels a picture.`;
  const picture: Record<string, Json> = {
    "image/png": BINARY,
    "image/jpeg": BINARY,
    "image/webp": BINARY,
  };
  return {
    "/v1/classify": {
      post: {
        tags: ["Native"],
        summary: "Classify images",
        description:
          "Raw bytes are N images of channels × height × width, row-major. Pictures may have any " +
          `size and are fitted into the model's input. ${limits} Of several images each answers or fails ` +
          "alone; where all fail, so does the request.",
        parameters: [
          query(
            "top_k",
            { type: "integer", minimum: 1, maximum: config.maxTopK, default: DEFAULT_TOP_K },
            "How many classes, at most as many as the model has",
          ),
          query(
            "function_to_apply",
            { type: "string", enum: ["softmax", "none"], default: "softmax" },
            "Probabilities, or the model's raw logits",
          ),
        ],
        requestBody: {
          required: true,
          content: {
            "application/octet-stream": BINARY,
            "application/json": { schema: ref("ClassifyRequest") },
            ...picture,
            "multipart/form-data": {
              schema: {
                type: "object",
                additionalProperties: { type: "string", contentMediaType: "image/*" },
                description: "Every field is a picture, whatever its name",
              },
            },
          },
        },
        responses: {
          200: json("ClassifyResponse", "What the images show"),
          ...problems(400, 408, 413, 415, 503),
        },
      },
    },
    "/v1/model": {
      get: {
        tags: ["Native"],
        summary: "Describe the model",
        responses: {
          200: json("ModelResponse", "What the model's file says about itself"),
          ...problems(503),
        },
      },
    },
    "/v1/model/file": {
      get: {
        tags: ["Native"],
        summary: "The model's ONNX file",
        parameters: [{
          name: "version",
          in: "query",
          schema: { type: "string" },
          description: "The model's version: the answer may then be kept",
        }],
        responses: {
          200: { description: "An ONNX file", content: { "application/octet-stream": BINARY } },
          ...problems(503),
        },
      },
    },
    "/models/{model}": {
      post: {
        tags: ["Hugging Face"],
        summary: "Classify a picture",
        description: `What is no JSON is taken for a picture. ${limits}`,
        parameters: [path("model", "The model's name")],
        requestBody: {
          required: true,
          content: {
            "application/json": { schema: ref("HuggingFaceRequest") },
            ...picture,
            "application/octet-stream": BINARY,
          },
        },
        responses: {
          200: json("HuggingFaceResponse", "The best classes, best first, five where `top_k` does not say"),
          ...errors(400, 404, 408, 413, 415, 503),
        },
      },
    },
    ...openInference(limits),
    "/healthz": { get: health("Whether requests can be answered") },
    "/readyz": { get: health("Whether requests can be answered") },
    "/livez": { get: health("Whether the process answers") },
    "/metrics": {
      get: {
        tags: ["Operation"],
        summary: "Counters in Prometheus' text format",
        responses: {
          200: { description: "Counters of this process", content: { "text/plain": {} } },
          ...problems(501),
        },
      },
    },
    "/": { get: page("The playground, a page to try the model on") },
    "/playground/{file}": {
      get: {
        tags: ["Operation"],
        summary: "Files of the playground",
        parameters: [path("file", "The file's name")],
        responses: {
          200: {
            description: "A file",
            content: { "text/javascript": {}, "image/svg+xml": {}, "application/wasm": BINARY },
          },
          304: { description: "The file that the client has is the right one" },
          ...problems(404),
        },
      },
    },
    "/docs": { get: page("This document as a page") },
    "/openapi.json": {
      get: {
        tags: ["Operation"],
        summary: "This document",
        responses: {
          200: {
            description: "OpenAPI 3.1",
            content: { "application/json": { schema: { type: "object" } } },
          },
        },
      },
    },
  };
}

function path(name: string, description: string): Json {
  return { name, in: "path", required: true, schema: { type: "string" }, description };
}

function health(summary: string): Operation {
  return {
    tags: ["Operation"],
    summary,
    responses: { 200: json("Health", "Yes"), ...problems(503) },
  };
}

function page(summary: string): Operation {
  return {
    tags: ["Operation"],
    summary,
    responses: { 200: { description: "A page", content: { "text/html": {} } }, ...problems(503) },
  };
}

/** The model's paths are there with and without a version, and every path also with a slash at its end. */
function openInference(limits: string): Document["paths"] {
  const get = (summary: string, name: Name, parameters: Json[] = []): Record<string, Operation> => ({
    get: {
      tags: ["Open Inference Protocol"],
      summary,
      ...(parameters.length > 0 && { parameters }),
      responses: {
        200: json(name, summary),
        ...(parameters.length > 0 ? errors(404, 503) : {}),
      },
    },
  });
  const model = path("model", "The model's name");
  const version = path("version", "The model's version, of which there is one");
  const paths: Document["paths"] = {
    "/v2": get("Server metadata", "ServerMetadata"),
    "/v2/health/live": get("Whether the server is alive", "ServerLive"),
    "/v2/health/ready": get("Whether the server is ready", "ServerReady"),
    "/v2/models/stats": get("Statistics of all models", "Statistics"),
  };
  paths["/v2/health/ready"]!.get!.responses[503] = json("ServerReady", "It is not");
  for (
    const [base, parameters] of [
      ["/v2/models/{model}", [model]],
      ["/v2/models/{model}/versions/{version}", [model, version]],
    ] as const
  ) {
    paths[base] = get("Model metadata", "ModelMetadata", [...parameters]);
    paths[`${base}/ready`] = get("Whether the model is ready", "ModelReady", [...parameters]);
    paths[`${base}/ready`]!.get!.responses[503] = json("ModelReady", "It is not");
    paths[`${base}/config`] = get("Model configuration, as Triton has it", "ModelConfig", [...parameters]);
    paths[`${base}/stats`] = get("Statistics of the model", "Statistics", [...parameters]);
    paths[`${base}/infer`] = {
      post: {
        tags: ["Open Inference Protocol"],
        summary: "Infer",
        description:
          "FP32 is in 0..1, as the model takes it; UINT8 is divided by 255. Shapes are [N, C, H, W], " +
          "[N, C × H × W], and [N, H, W] where C is 1. `parameters.classification = k` of an output gives " +
          '`"score:index:label"`. With `Inference-Header-Content-Length`, bytes of tensors follow the JSON: ' +
          "little-endian, row-major, `parameters.binary_data_size` each. Outputs come as bytes with " +
          `\`parameters.binary_data\` of an output or \`binary_data_output\` of the request. ${limits}`,
        parameters: [
          ...parameters,
          {
            name: "Inference-Header-Content-Length",
            in: "header",
            required: false,
            schema: { type: "integer", minimum: 0 },
            description: "Bytes of the JSON, if bytes of tensors follow it",
          },
        ],
        requestBody: {
          required: true,
          content: {
            "application/json": { schema: ref("InferRequest") },
            "application/octet-stream": BINARY,
          },
        },
        responses: {
          200: {
            description: "The outputs; where some are bytes, the JSON is followed by them",
            headers: {
              "Inference-Header-Content-Length": {
                schema: { type: "integer" },
                description: "Bytes of the JSON, if bytes of tensors follow it",
              },
            },
            content: {
              "application/json": { schema: ref("InferResponse") },
              "application/octet-stream": BINARY,
            },
          },
          ...errors(400, 404, 408, 413, 415, 503),
        },
      },
    };
  }
  return paths;
}
