/**
 * Everything around the protocols: the playground, health, metrics and documentation.
 *
 * @module
 */
import { BINARY, json, type Operation, path, problems, TEXT } from "../openapi/operation.ts";
import { problemDocument } from "../problem.ts";
import { docs, openapi } from "../routes/docs.ts";
import { live, ready } from "../routes/health.ts";
import { home } from "../routes/home.ts";
import { metrics } from "../routes/metrics.ts";
import { guides, modelCard, modelCardFile } from "../routes/pages.ts";
import { playground } from "../routes/playground.ts";
import type { Access, DescribedRoute, Protocol, Route, Service } from "./protocol.ts";

/** @param allRoutes every route of the server, for the documentation; it is called once they exist */
export function operation(service: Service, allRoutes: () => readonly DescribedRoute[]): Protocol {
  const get = (
    operationId: string,
    path: string,
    access: Access,
    handler: Route["handler"],
    summary: string,
    responses: Operation["responses"],
    { cacheable, ...more }: Pick<Route, "cacheable"> & Pick<Operation, "description" | "parameters">,
  ): Route => ({
    method: "GET",
    path,
    access,
    handler,
    ...(cacheable && { cacheable }),
    operation: { tags: ["Operation"], operationId, summary, ...more, responses },
  });
  const ok = json("Health", "Yes");
  const page = { description: "A page", content: { "text/html": TEXT } };
  return {
    prefix: "",
    format: problemDocument,
    routes: [
      get("getLivez", "/livez", "probe", live(), "Liveness", { 200: ok }, {
        description: "For a liveness probe: the process answers, whatever the state of the model.",
      }),
      get("getHealthz", "/healthz", "probe", live(), "Liveness, as `/livez`", { 200: ok }, {
        description: "The older name of `/livez`.",
      }),
      get("getReadyz", "/readyz", "probe", ready(service), "Readiness", { 200: ok, ...problems(503) }, {
        description: "For a readiness probe: the model can classify images.",
      }),
      get(
        "getMetrics",
        "/metrics",
        "key",
        metrics(service),
        "Metrics in Prometheus' text format",
        {
          200: { description: "The counters of this process", content: { "text/plain": TEXT } },
          404: json(
            "Problem",
            "On Cloudflare, where each scrape would reach another isolate",
            "application/problem+json",
          ),
        },
        { description: "Counters and histograms of this process since its start." },
      ),
      get("getPage", "/", "public", home(service), "The playground", { 200: page, ...problems(400, 503) }, {
        cacheable: true,
        description: "A page to try the model on.",
      }),
      get(
        "getPageFile",
        "/playground/:file",
        "public",
        playground(),
        "Files of the playground",
        {
          200: {
            description: "A file",
            content: { "text/javascript": TEXT, "image/svg+xml": TEXT, "application/wasm": BINARY },
          },
          ...problems(404),
        },
        {
          cacheable: true,
          description: "Scripts of the page, and the WebAssembly program that runs the model in the browser.",
          parameters: [path("file", "The file's name")],
        },
      ),
      get("getModelCard", "/model", "public", modelCard(service), "The model card, a page to read", {
        200: page,
        ...problems(503),
      }, {
        cacheable: true,
        description:
          "The file `MODEL_CARD.md` beside the model with its plots, or what the model's file says.",
      }),
      get(
        "getModelCardFile",
        "/model/:file",
        "public",
        modelCardFile(service),
        "Files beside the model",
        {
          200: {
            description: "A file",
            content: { "image/svg+xml": TEXT, "application/json": { schema: { type: "object" } } },
          },
          ...problems(404, 503),
        },
        {
          cacheable: true,
          description:
            "Plots of the model card, and `examples.json` with the example pictures of the playground.",
          parameters: [path("file", "The file's name")],
        },
      ),
      get(
        "getGuide",
        "/guide/:page",
        "public",
        guides(),
        "Pages of the documentation",
        { 200: page, ...problems(404) },
        {
          cacheable: true,
          description: "`front-end`, `own-images`, `deploy` and `readme`.",
          parameters: [path("page", "The page's name, as `deploy`")],
        },
      ),
      get("getDocs", "/docs", "public", docs(service, allRoutes), "This document as a page", { 200: page }, {
        cacheable: true,
        description:
          "Every request with its parameters, schemas and answers; requests can be tried on the page.",
      }),
      get("getOpenApi", "/openapi.json", "public", openapi(service, allRoutes), "This document", {
        200: { description: "OpenAPI 3.1", content: { "application/json": { schema: { type: "object" } } } },
      }, {
        cacheable: true,
        description: "The OpenAPI document, for generators of clients and for other programs.",
      }),
    ],
  };
}
