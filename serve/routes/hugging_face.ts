/**
 * `POST /models/{model}`: Hugging Face's image classification task
 * (https://huggingface.co/docs/inference-providers/tasks/image-classification), so that its clients work with
 * this server as their endpoint: an image file as the body, or `{"inputs": "<base64>", "parameters": {…}}`, gives
 * `[{"label": …, "score": …}]`; errors are `{"error": …}`.
 *
 * @module
 */
import type { Handler } from "hono";
import type { AppEnv } from "../context.ts";
import { parseJson } from "../decode/json.ts";
import { fromBase64 } from "../decode/picture.ts";
import { HuggingFaceRequest } from "../openapi/schemas.ts";
import { validate } from "../openapi/validate.ts";
import type { Service } from "../protocols/protocol.ts";
import { answer, requestPictures } from "./answer.ts";
import { mediaTypeOf } from "./classify.ts";
import { checkModel } from "./infer.ts";
import { mostClasses, type Options, rank } from "./options.ts";

/** Their default. */
const TOP_K = 5;

interface Request {
  /** `[1, imageSize]` */
  pixels: Float32Array;
  options: Options;
}

export function classifyTask(service: Service): Handler<AppEnv> {
  return async (c): Promise<Response> => {
    const mediaType = mediaTypeOf(c.req.header("content-type") ?? "");
    return await answer<Request>(c, service, {
      async read(body, classifier): Promise<Request> {
        checkModel(c, classifier);
        // Some of their clients send a wrong content type, so a body that is not JSON is read as an image file.
        const { bytes, topK, apply } = mediaType === "application/json"
          ? readRequest(body)
          : { bytes: body, topK: undefined, apply: undefined };
        const pixels = new Float32Array(classifier.imageSize);
        await requestPictures(classifier, service.config)(bytes, pixels, mediaType);
        // As on Hugging Face, more classes than the model has return all.
        const most = mostClasses(classifier, service.config);
        return { pixels, options: { topK: Math.min(topK ?? TOP_K, most), apply: apply ?? "softmax" } };
      },
      write(scores, { options }, classifier): Response {
        const [top] = rank(scores, options, classifier);
        return c.json(top!.map(({ label, score }) => ({ label, score })));
      },
    });
  };
}

function readRequest(
  body: Uint8Array,
): { bytes: Uint8Array<ArrayBuffer>; topK: number | undefined; apply: Options["apply"] | undefined } {
  const { inputs, parameters } = validate(HuggingFaceRequest, parseJson(body), "the request");
  return {
    bytes: fromBase64(inputs),
    topK: parameters?.top_k ?? undefined,
    apply: parameters?.function_to_apply ?? undefined,
  };
}
