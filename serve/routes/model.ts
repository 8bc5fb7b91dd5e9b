/**
 * `GET /v1/model`: what the model says about itself, and what a request may hold.
 *
 * @module
 */
import type { Handler } from "hono";
import type { Classifier } from "../../shared/inference/classifier.ts";
import { MAX_BODY_BYTES, MAX_IMAGES, MAX_PIXELS } from "../limits.ts";
import { MEDIA_TYPES } from "./classify.ts";

export function model(classifier: () => Promise<Classifier>): Handler {
  return async (c): Promise<Response> => {
    const { name, version, labels, input, metrics, provenance } = (await classifier()).description;
    const { codeVersion, ...rest } = provenance;
    return c.json({
      name,
      version,
      labels,
      input,
      metrics,
      provenance: { ...rest, code_version: codeVersion },
      accepts: MEDIA_TYPES,
      limits: { body_bytes: MAX_BODY_BYTES, images: MAX_IMAGES, pixels: MAX_PIXELS },
    });
  };
}
