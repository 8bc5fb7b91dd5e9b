/**
 * The native protocol: images in, labels out, and the model itself.
 *
 * @module
 */
import { DEFAULT_TOP_K } from "../config.ts";
import {
  BINARY,
  EXAMPLE_PICTURE,
  IMAGES,
  type Json,
  json,
  limitsOf,
  path,
  problems,
  query,
  ref,
} from "../openapi/operation.ts";
import { problemDocument } from "../problem.ts";
import { classify } from "../routes/classify.ts";
import { feedback } from "../routes/feedback.ts";
import { model } from "../routes/model.ts";
import { modelFile } from "../routes/model_file.ts";
import { models } from "../routes/models.ts";
import type { Protocol, Route, Service } from "./protocol.ts";

/** The paths of a model's routes, what their ids end with, and their parameters. */
interface ModelPaths {
  classify: string;
  feedback: string;
  describe: string;
  file: string;
  about: string;
  parameters: Json[];
}

const MODEL_PATHS: ModelPaths[] = [
  {
    classify: "/v1/classify",
    feedback: "/v1/feedback",
    describe: "/v1/model",
    file: "/v1/model/file",
    about: "",
    parameters: [],
  },
  {
    classify: "/v1/models/:model/classify",
    feedback: "/v1/models/:model/feedback",
    describe: "/v1/models/:model",
    file: "/v1/models/:model/file",
    about: "ByName",
    parameters: [path("model", "The model's name")],
  },
];

export function native(service: Service): Protocol {
  return {
    prefix: "/v1",
    format: problemDocument,
    routes: [
      {
        method: "GET",
        path: "/v1/models",
        access: "key",
        handler: models(service),
        operation: {
          tags: ["Native"],
          operationId: "listModels",
          summary: "List the models",
          description:
            "All models and versions that the server has, with the reason where one cannot be used.",
          responses: { 200: json("ModelList", "The models"), ...problems() },
        },
      },
      ...MODEL_PATHS.flatMap((paths) => modelRoutes(service, paths)),
    ],
  };
}

function modelRoutes(service: Service, { about, parameters, ...paths }: ModelPaths): Route[] {
  const { config } = service;
  return [
    {
      method: "POST",
      path: paths.classify,
      access: "key",
      handler: classify(service),
      operation: {
        tags: ["Native"],
        operationId: `classify${about}`,
        summary: "Classify images",
        description:
          "Raw bytes are N images of channels × height × width, row-major. Image files may have any " +
          `size and are fitted into the model's input. ${
            limitsOf(config)
          } In a batch, an image that cannot be ` +
          "read, or is blank, gets its own `error`; the request fails only if all images fail.",
        parameters: [
          ...parameters,
          query(
            "top_k",
            { type: "integer", minimum: 1, maximum: config.maxTopK, default: DEFAULT_TOP_K },
            "Number of classes per image, at most the number that the model has",
          ),
          query(
            "function_to_apply",
            { type: "string", enum: ["softmax", "none"], default: "softmax" },
            "`softmax` returns probabilities, `none` the model's raw logits",
          ),
          query(
            "reject",
            { type: "boolean", default: false },
            "Whether unfamiliar images get the label null; 400 if the model has no output `familiarity`",
          ),
        ],
        requestBody: {
          required: true,
          content: {
            "application/octet-stream": BINARY,
            "application/json": { schema: ref("ClassifyRequest"), example: { image: EXAMPLE_PICTURE } },
            ...IMAGES,
            "multipart/form-data": {
              schema: {
                type: "object",
                properties: {
                  image: {
                    type: "array",
                    minItems: 1,
                    maxItems: config.maxBatchSize,
                    items: BINARY.schema,
                  },
                },
                required: ["image"],
                description: "Every field is an image file; the names do not matter",
              },
            },
          },
        },
        responses: {
          200: json("ClassifyResponse", "The labels of each image"),
          ...problems(400, 404, 408, 413, 415, 422, 503),
        },
      },
    },
    {
      method: "POST",
      path: paths.feedback,
      access: "key",
      handler: feedback(service),
      operation: {
        tags: ["Native"],
        operationId: `sendFeedback${about}`,
        summary: "Say what an image shows",
        description:
          "Stores the picture under its right label, to train the next model on. A picture is sent with `label`; " +
          "JSON names a recent request instead. 404 if the server takes no feedback.",
        parameters: [
          ...parameters,
          query("label", { type: "string" }, "What the picture shows: a label of the model; not with JSON"),
        ],
        requestBody: {
          required: true,
          content: { ...IMAGES, "application/json": { schema: ref("FeedbackRequest") } },
        },
        responses: {
          201: json("FeedbackResponse", "The picture is stored"),
          ...problems(400, 404, 408, 413, 415, 422, 503, 507),
        },
      },
    },
    {
      method: "GET",
      path: paths.describe,
      access: "key",
      handler: model(service),
      cacheable: true,
      operation: {
        tags: ["Native"],
        operationId: `getModel${about}`,
        summary: "Describe the model",
        description: "Labels, input size, accuracy and origin of the model, and the limits of a request.",
        parameters,
        responses: {
          200: json("ModelResponse", "The metadata of the model's file"),
          ...(about === "" &&
            { 303: { description: "With `Accept: text/html`, the model card at `/model`" } }),
          ...problems(404, 503),
        },
      },
    },
    {
      method: "GET",
      path: paths.file,
      access: "key",
      handler: modelFile(service),
      cacheable: true,
      operation: {
        tags: ["Native"],
        operationId: `getModelFile${about}`,
        summary: "Download the model's ONNX file",
        description: "For programs that run the model themselves. A part can be requested with `Range`.",
        parameters: [
          ...parameters,
          query(
            "version",
            { type: "string" },
            "The model's version: the response may then be cached forever",
          ),
          {
            name: "Range",
            in: "header",
            required: false,
            schema: { type: "string", examples: ["bytes=1000-"] },
            description: "A part of the file, as in RFC 9110",
          },
        ],
        responses: {
          200: { description: "An ONNX file", content: { "application/octet-stream": BINARY } },
          206: { description: "A part of it", content: { "application/octet-stream": BINARY } },
          ...problems(404, 416, 503),
        },
      },
    },
  ];
}
