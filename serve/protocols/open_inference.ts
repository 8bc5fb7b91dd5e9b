/**
 * The Open Inference Protocol V2, REST, as KServe and Triton speak it
 * (https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md), with
 * Triton's extensions for statistics and the model's configuration; `routes/infer.ts` has the inference itself.
 *
 * The text of the specification and its OpenAPI file disagree in places. Both are served: every path works with and
 * without a slash at its end, and the health routes return `{"live": …, "ready": …}` with the keys of either.
 *
 * @module
 */
import type { Handler, MiddlewareHandler } from "hono";
import project from "../../deno.json" with { type: "json" };
import { INPUT } from "../../shared/contract.ts";
import type { Classifier } from "../../shared/inference/classifier.ts";
import type { AppEnv } from "../context.ts";
import {
  BINARY,
  errors,
  type Json,
  json,
  limitsOf,
  type Operation,
  path,
  ref,
} from "../openapi/operation.ts";
import type * as schemas from "../openapi/schemas.ts";
import { plainError, Problem } from "../problem.ts";
import { outputsOf } from "../decode/infer.ts";
import type { Models } from "../models/models.ts";
import { infer } from "../routes/infer.ts";
import { loadModel, repositoryIndex, unloadModel } from "../routes/models.ts";
import type { Statistics } from "../statistics.ts";
import { type Access, modelOf, type Protocol, type Route, type Service } from "./protocol.ts";

const EXTENSIONS = [
  "classification",
  "binary_tensor_data",
  "statistics",
  "model_configuration",
  "model_repository",
];

/** The paths of the model, with and without its version, what their ids are about, and their parameters. */
const MODEL_PATHS: [string, string, Json[]][] = [
  ["/v2/models/:model", "Model", [path("model", "The model's name")]],
  ["/v2/models/:model/versions/:version", "ModelVersion", [
    path("model", "The model's name"),
    path("version", "The model's version"),
  ]],
];

export function openInference(service: Service): Protocol {
  const { models } = service;
  return {
    prefix: "/v2",
    format: plainError,
    middleware: uncompressed(),
    routes: [
      get(
        "getServerMetadata",
        "/v2",
        "key",
        "Server metadata",
        { 200: json("ServerMetadata", "Server metadata") },
        (c) => c.json({ name: "selvedge", version: project.version, extensions: EXTENSIONS }),
        { cacheable: true, description: "The server's name, version and extensions of the protocol." },
      ),
      get(
        "getServerLive",
        "/v2/health/live",
        "probe",
        "Whether the server is alive",
        {
          200: json("ServerLive", "It is"),
        },
        (c) => c.json({ live: true }),
        { description: "For a liveness probe: true while the process answers." },
      ),
      get("getServerReady", "/v2/health/ready", "probe", "Whether the server is ready", {
        200: json("ServerReady", "It is"),
        503: json("ServerReady", "The server is not ready"),
      }, async (c) => {
        const { ready } = await models.ready();
        return c.json({ live: true, ready }, ready ? 200 : 503);
      }, { description: "For a readiness probe: true once the model can classify images." }),
      // Before the models' own paths, as it would otherwise be read as the name of one.
      get("getStatistics", "/v2/models/stats", "key", "Statistics of all models", {
        200: json("Statistics", "Statistics"),
        ...errors(503),
      }, async (c) => {
        const { ready, reason } = await models.ready();
        if (!ready) {
          throw new Problem(503, reason ?? "The server is not ready", { "retry-after": "1" }, "model");
        }
        const statistics = models.list().flatMap((model) =>
          model.statistics.describe(model.name, model.version).model_stats
        );
        return c.json({ model_stats: statistics });
      }, {
        description: "Triton's extension: counts and times of inferences, queueing and (de)serialization.",
      }),
      ...repositoryRoutes(service),
      ...MODEL_PATHS.flatMap(([path, about, parameters]) => modelRoutes(service, path, about, parameters)),
    ],
  };
}

/** Triton's extension for repositories. */
function repositoryRoutes(service: Service): Route[] {
  const post = (
    operationId: string,
    path: string,
    access: Access,
    handler: Handler<AppEnv>,
    operation: Omit<Operation, "tags" | "operationId">,
  ): Route => {
    const about: Operation = { tags: ["Open Inference Protocol"], operationId, ...operation };
    return { method: "POST", path, access, handler, optionalSlash: true, operation: about };
  };
  const done = { 200: json("Empty", "Done"), ...errors(400, 403, 404) };
  const parameters = [path("model", "The model's name")];
  return [
    post("getRepositoryIndex", "/v2/repository/index", "key", repositoryIndex(service), {
      summary: "Index of the models",
      description: "Triton's extension: all models and versions, with the reason where one cannot be used.",
      requestBody: {
        required: false,
        content: { "application/json": { schema: ref("RepositoryIndexRequest") } },
      },
      responses: { 200: json("RepositoryIndex", "The models"), ...errors(400, 408, 413, 415, 503) },
    }),
    post("loadModel", "/v2/repository/models/:model/load", "admin", loadModel(service), {
      summary: "Load a model",
      description: "Triton's extension: checks the model's file now, and uses it. For servers with `MODELS`.",
      parameters,
      responses: done,
    }),
    post("unloadModel", "/v2/repository/models/:model/unload", "admin", unloadModel(service), {
      summary: "Unload a model",
      description:
        "Triton's extension: answers no more requests for the model until it is loaded. For servers with `MODELS`.",
      parameters,
      responses: done,
    }),
  ];
}

function get(
  operationId: string,
  path: string,
  access: Access,
  summary: string,
  responses: Operation["responses"],
  handler: Handler<AppEnv>,
  { parameters, cacheable, description }: { description: string; parameters?: Json[]; cacheable?: true },
): Route {
  const operation: Operation = {
    tags: ["Open Inference Protocol"],
    operationId,
    summary,
    description,
    ...(parameters && { parameters }),
    responses,
  };
  return {
    method: "GET",
    path,
    access,
    handler,
    optionalSlash: true,
    ...(cacheable && { cacheable }),
    operation,
  };
}

/**
 * Asks proxies not to compress: Triton's asynchronous client accepts gzip, but does not inflate it
 * (https://developers.cloudflare.com/speed/optimization/content/compression/). `wrangler dev` does not read that
 * header, only the other one (as of 4.153).
 */
function uncompressed(): MiddlewareHandler<AppEnv> {
  return async (c, next): Promise<void> => {
    await next();
    c.res.headers.append("cache-control", "no-transform");
    if (c.env?.distributed) c.res.headers.set("content-encoding", "identity");
  };
}

function modelRoutes(service: Service, base: string, about: string, parameters: Json[]): Route[] {
  const { models, config } = service;
  const describe = (
    path: string,
    schema: keyof typeof schemas,
    summary: string,
    description: string,
    toJson: (classifier: Classifier, statistics: Statistics) => Record<string, unknown>,
    cacheable?: true,
  ): Route =>
    get(
      `get${about}${schema.replace("Model", "")}`,
      `${base}${path}`,
      "key",
      summary,
      { 200: json(schema, summary), ...errors(404, 503) },
      async (c) => {
        const classifier = await modelOf(c, service);
        using lease = models.lease(c.req.param("model"), c.req.param("version"));
        return c.json(toJson(classifier, lease.statistics));
      },
      { description, parameters, ...(cacheable && { cacheable }) },
    );
  return [
    describe(
      "",
      "ModelMetadata",
      "Model metadata",
      "The model's versions, and the names, types and shapes of its tensors; -1 is a free dimension.",
      (classifier) => describeModel(classifier, models),
      true,
    ),
    describe(
      "/config",
      "ModelConfig",
      "Model configuration",
      "Triton's extension: the largest batch, and the tensors without the dimension of the batch.",
      (classifier) => describeConfig(classifier, config.maxBatchSize),
      true,
    ),
    describe(
      "/stats",
      "Statistics",
      "Statistics of the model",
      "Triton's extension: counts and times of inferences, queueing and (de)serialization.",
      ({ description: { name, version } }, statistics) => statistics.describe(name, version),
    ),
    get(
      `get${about}Ready`,
      `${base}/ready`,
      "probe",
      "Whether the model is ready",
      {
        200: json("ModelReady", "The model is ready"),
        ...errors(404),
        503: json("ModelReady", "The model is not ready"),
      },
      async (c) => {
        const name = c.req.param("model") ?? "";
        const ready = await models.isReady(name, c.req.param("version"));
        return c.json({ name, ready }, ready ? 200 : 503);
      },
      { description: "For a readiness probe: true once the model can classify images.", parameters },
    ),
    {
      method: "POST",
      path: `${base}/infer`,
      access: "key",
      handler: infer(service),
      optionalSlash: true,
      operation: describeInfer(`infer${about}`, parameters, limitsOf(config)),
    },
  ];
}

function describeModel({ description }: Classifier, models: Models): Record<string, unknown> {
  const { name, input } = description;
  return {
    name,
    versions: models.list().filter((model) => model.name === name).map(({ version }) => version),
    platform: "onnxruntime_onnx",
    inputs: [{ name: INPUT, datatype: "FP32", shape: [-1, input.channels, input.height, input.width] }],
    outputs: outputsOf(description).map(({ name, shape }) => ({
      name,
      datatype: "FP32",
      shape: [-1, ...shape],
    })),
  };
}

function describeConfig({ description }: Classifier, maxBatchSize: number): Record<string, unknown> {
  const { name, input } = description;
  return {
    name,
    platform: "onnxruntime_onnx",
    max_batch_size: maxBatchSize,
    input: [{ name: INPUT, data_type: "TYPE_FP32", dims: [input.channels, input.height, input.width] }],
    output: outputsOf(description).map(({ name, shape }) => ({
      name,
      data_type: "TYPE_FP32",
      // Triton has no empty dims.
      ...(shape.length > 0 ? { dims: shape } : { dims: [1], reshape: { shape: [] } }),
    })),
  };
}

function describeInfer(operationId: string, parameters: Json[], limits: string): Operation {
  const jsonLength = { type: "integer", minimum: 1 };
  const meaning = "Length of the JSON in bytes, if the bytes of tensors follow it";
  return {
    tags: ["Open Inference Protocol"],
    operationId,
    summary: "Infer",
    description:
      "FP32 and FP64 values are in 0..1; UINT8, INT32 and INT64 values are in 0..255 and divided by 255. Shapes are " +
      "[N, C, H, W], [N, C × H × W], and [N, H, W] if C is 1. `parameters.classification = k` of an output returns " +
      '`"score:index:label"`. With `Inference-Header-Content-Length`, the bytes of tensors follow the JSON: ' +
      "little-endian, row-major, `parameters.binary_data_size` bytes each. Outputs are returned as bytes with " +
      `\`parameters.binary_data\` of an output or \`binary_data_output\` of the request. ${limits}`,
    parameters: [
      ...parameters,
      {
        name: "Inference-Header-Content-Length",
        in: "header",
        required: false,
        schema: jsonLength,
        description: meaning,
      },
    ],
    requestBody: {
      required: true,
      content: { "application/json": { schema: ref("InferRequest") }, "application/octet-stream": BINARY },
    },
    responses: {
      200: {
        description: "The outputs; bytes of binary outputs follow the JSON",
        headers: { "Inference-Header-Content-Length": { schema: jsonLength, description: meaning } },
        content: {
          "application/json": { schema: ref("InferResponse") },
          "application/octet-stream": BINARY,
        },
      },
      ...errors(400, 404, 408, 413, 415, 503),
    },
  };
}
