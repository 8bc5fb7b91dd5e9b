/**
 * `GET /v1/model`: the description of the model, and the limits of a request.
 *
 * @module
 */
import type { Handler } from "hono";
import { toSnakeCase } from "../../shared/naming.ts";
import type { AppEnv } from "../context.ts";
import { modelOf, type Service } from "../protocols/protocol.ts";
import { MEDIA_TYPES } from "../decode/classify.ts";

export function model(service: Service): Handler<AppEnv> {
  const { config } = service;
  return async (c): Promise<Response> => {
    // Browsers ask for a page, programs for anything or for JSON.
    const isNamed = c.req.param("model") !== undefined;
    if (!isNamed && c.req.header("accept")?.includes("text/html")) return c.redirect("/model", 303);
    const { name, version, labels, input, metrics, familiarity, provenance } =
      (await modelOf(c, service)).description;
    const { maxBodyBytes: bodyBytes, maxBatchSize: images, maxPixels: pixels } = config;
    const limits = { bodyBytes, images, pixels };
    const description = {
      name,
      version,
      labels,
      input,
      metrics,
      familiarity,
      provenance,
      accepts: MEDIA_TYPES,
      feedback: service.feedback !== undefined,
      limits,
    };
    return c.json(toSnakeCase(description) as Record<string, unknown>);
  };
}
