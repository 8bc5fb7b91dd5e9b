/**
 * The bodies of Hugging Face's image classification task: an image file, or JSON with one as base64.
 *
 * @module
 */
import { HuggingFaceRequest } from "../openapi/schemas.ts";
import { validate } from "../openapi/validate.ts";
import { mediaTypeOf } from "./classify.ts";
import { parseJson } from "./json.ts";
import { fromBase64, requestPictures } from "./picture.ts";
import type { Task, Turn } from "./task.ts";

export interface TaskRequest {
  /** `[1, imageSize]` */
  pixels: Float32Array;
  topK: number | undefined;
  apply: "softmax" | "none" | undefined;
}

/** @throws {InputError} if the request is wrong */
export async function readTaskRequest(task: Task, turn: Turn): Promise<TaskRequest> {
  const mediaType = mediaTypeOf(task.contentType);
  // Some of their clients send a wrong content type, so a body that is not JSON is read as an image file.
  const { bytes, topK, apply } = mediaType === "application/json"
    ? readJson(task.body)
    : { bytes: task.body, topK: undefined, apply: undefined };
  const pixels = new Float32Array(task.model.imageSize);
  await requestPictures(task, turn)(bytes, pixels, mediaType);
  return { pixels, topK, apply };
}

function readJson(body: Uint8Array): Omit<TaskRequest, "pixels"> & { bytes: Uint8Array<ArrayBuffer> } {
  const { inputs, parameters } = validate(HuggingFaceRequest, parseJson(body), "the request");
  return {
    bytes: fromBase64(inputs),
    topK: parameters?.top_k ?? undefined,
    apply: parameters?.function_to_apply ?? undefined,
  };
}
