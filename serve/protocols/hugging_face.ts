/**
 * Hugging Face's protocol: one task, image classification.
 *
 * @module
 */
import { BINARY, errors, EXAMPLE_PICTURE, IMAGES, json, limitsOf, path, ref } from "../openapi/operation.ts";
import { plainError } from "../problem.ts";
import { classifyTask } from "../routes/hugging_face.ts";
import type { Protocol, Service } from "./protocol.ts";

export function huggingFace(service: Service): Protocol {
  return {
    prefix: "/models",
    format: plainError,
    routes: [{
      method: "POST",
      path: "/models/:model",
      access: "key",
      handler: classifyTask(service),
      operation: {
        tags: ["Hugging Face"],
        operationId: "classifyImage",
        summary: "Classify an image",
        description: `A body that is not JSON is read as an image file. ${limitsOf(service.config)}`,
        parameters: [path("model", "The model's name")],
        requestBody: {
          required: true,
          content: {
            "application/json": {
              schema: ref("HuggingFaceRequest"),
              example: { inputs: EXAMPLE_PICTURE, parameters: { top_k: 3 } },
            },
            ...IMAGES,
            "application/octet-stream": BINARY,
          },
        },
        responses: {
          200: json("HuggingFaceResponse", "The best classes, best first; five unless `top_k` is set"),
          ...errors(400, 404, 408, 413, 415, 503),
        },
      },
    }],
  };
}
