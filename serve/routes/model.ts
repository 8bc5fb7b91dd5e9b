/**
 * `GET /v1/model`: what the model says about itself, and what a request may hold.
 *
 * @module
 */
import type { Handler } from "hono";
import type { AppEnv } from "../context.ts";
import { modelOf, type Service } from "../protocols/protocol.ts";
import { MEDIA_TYPES } from "./classify.ts";

export function model(service: Service): Handler<AppEnv> {
  const { config } = service;
  return async (c): Promise<Response> => {
    const { name, version, labels, input, metrics, provenance } = (await modelOf(service)).description;
    const { codeVersion, ...rest } = provenance;
    return c.json({
      name,
      version,
      labels,
      input,
      metrics,
      provenance: { ...rest, code_version: codeVersion },
      accepts: MEDIA_TYPES,
      limits: { body_bytes: config.maxBodyBytes, images: config.maxBatchSize, pixels: config.maxPixels },
    });
  };
}
