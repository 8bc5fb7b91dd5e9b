/**
 * `GET /v1/model`: what the model says about itself, and what a request may hold.
 *
 * @module
 */
import type { Handler } from "hono";
import type { Classifier } from "../../shared/inference/classifier.ts";
import type { Config } from "../config.ts";
import { MEDIA_TYPES } from "./classify.ts";

export function model(classifier: () => Promise<Classifier>, config: Config): Handler {
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
      limits: { body_bytes: config.maxBodyBytes, images: config.maxBatch, pixels: config.maxPixels },
    });
  };
}
