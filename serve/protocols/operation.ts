/**
 * Everything around the protocols: the playground, health, metrics and documentation.
 *
 * @module
 */
import { BINARY, json, type Operation, path, problems } from "../openapi/operation.ts";
import { problemDocument } from "../problem.ts";
import { docs, openapi } from "../routes/docs.ts";
import { live, ready } from "../routes/health.ts";
import { home } from "../routes/home.ts";
import { metrics } from "../routes/metrics.ts";
import { playground } from "../routes/playground.ts";
import type { Access, Protocol, Route, Service } from "./protocol.ts";

/** @param allRoutes every route of the server, for the documentation; it is called once they exist */
export function operation(service: Service, allRoutes: () => readonly Route[]): Protocol {
  const get = (
    path: string,
    access: Access,
    handler: Route["handler"],
    summary: string,
    responses: Operation["responses"],
    more: Pick<Route, "cacheable"> & Pick<Operation, "parameters"> = {},
  ): Route => ({
    method: "GET",
    path,
    access,
    handler,
    ...(more.cacheable && { cacheable: true }),
    operation: {
      tags: ["Operation"],
      summary,
      responses,
      ...(more.parameters && { parameters: more.parameters }),
    },
  });
  const ok = json("Health", "Yes");
  const page = { description: "A page", content: { "text/html": {} } };
  return {
    prefix: "",
    format: problemDocument,
    routes: [
      get("/livez", "probe", live(), "Liveness: the process answers", { 200: ok }),
      get("/healthz", "probe", live(), "Liveness, as `/livez`", { 200: ok }),
      get("/readyz", "probe", ready(service), "Readiness: the model can classify images", {
        200: ok,
        ...problems(503),
      }),
      get("/metrics", "key", metrics(service), "Metrics in Prometheus' text format", {
        200: { description: "The counters of this process", content: { "text/plain": {} } },
        404: json(
          "Problem",
          "On Cloudflare, where each scrape would reach another isolate",
          "application/problem+json",
        ),
      }),
      get("/", "public", home(service), "The playground, a page to try the model on", {
        200: page,
        ...problems(400, 503),
      }, { cacheable: true }),
      get(
        "/playground/:file",
        "public",
        playground(),
        "Files of the playground",
        {
          200: {
            description: "A file",
            content: { "text/javascript": {}, "image/svg+xml": {}, "application/wasm": BINARY },
          },
          ...problems(404),
        },
        { cacheable: true, parameters: [path("file", "The file's name")] },
      ),
      get("/docs", "public", docs(allRoutes), "This document as a page", { 200: page }, { cacheable: true }),
      get("/openapi.json", "public", openapi(allRoutes), "This document", {
        200: { description: "OpenAPI 3.1", content: { "application/json": { schema: { type: "object" } } } },
      }, { cacheable: true }),
    ],
  };
}
