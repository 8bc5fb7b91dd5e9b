/**
 * What the protocols have in common. Each one is a Hono application made from a table of routes, and that table is
 * the only place where a path is written: routing, access control and the OpenAPI document follow from it.
 *
 * @module
 */
import { type Context, type Handler, Hono, type MiddlewareHandler } from "hono";
import { methodNotAllowed } from "hono/method-not-allowed";
import type { Classifier } from "../../shared/inference/classifier.ts";
import type { Admission } from "../admission/admission.ts";
import type { Config } from "../config.ts";
import type { AppEnv } from "../context.ts";
import type { RequestReader } from "../decode/reader.ts";
import type { ModelFiles } from "../model_files.ts";
import { checkIdentity, type Models, type Repository } from "../models/models.ts";
import type { Feedback } from "../feedback/feedback.ts";
import type { RecentImages } from "../feedback/recent.ts";
import type { Operation } from "../openapi/operation.ts";
import { Problem, type ProblemFormat, toProblem } from "../problem.ts";
import type { Telemetry } from "../telemetry.ts";

/** What routes work with. */
export interface Service {
  models: Models;
  /** Changes the models in all threads that share the port. */
  repository: Repository;
  admission: Admission;
  reader: RequestReader;
  config: Config;
  telemetry: Telemetry;
  /** Absent if the server takes no feedback. */
  feedback?: {
    store: Feedback;
    /** Absent where requests of one client reach many servers. */
    recent?: RecentImages;
  };
  /** The metrics of all threads that share the port. */
  collectMetrics: () => string | Promise<string>;
  /** The files beside the model. */
  files: () => Promise<ModelFiles>;
}

/**
 * Who may use a route where the server asks for API keys: `key` needs one, `public` does not, and `probe` does not and
 * is not rate limited either, as an orchestrator whose probe is rejected would restart the server. `admin` changes the
 * server, and is refused where it does not ask for keys.
 */
export type Access = "key" | "admin" | "public" | "probe";

/** One method of one path. */
export interface Route {
  method: "GET" | "POST";
  /** As Hono writes it, with `:name` for a parameter. */
  path: string;
  access: Access;
  handler: Handler<AppEnv>;
  /** Whether the path also works with a slash at its end. */
  optionalSlash?: true;
  /** Whether the response depends on the program and the model only, so that clients can keep it. */
  cacheable?: true;
  /** Its part of the OpenAPI document. */
  operation: Operation;
}

/** A route with the form of its errors. */
export type DescribedRoute = Route & Pick<Protocol, "format">;

/** A protocol: a prefix of paths, with one format for what goes wrong under it. */
export interface Protocol {
  /** `/v2`, for example; empty for all other paths. */
  prefix: string;
  format: ProblemFormat;
  /** Around all its routes. */
  middleware?: MiddlewareHandler<AppEnv>;
  routes: readonly Route[];
}

/** The middleware in front of the routes of each kind of access, and of those whose responses can be kept. */
export type Guards = Record<Access | "cacheable", MiddlewareHandler<AppEnv>[]>;

/** Makes the application of a protocol. */
export function createProtocolApp(
  { prefix, format, middleware, routes }: Protocol,
  guards: Guards,
  report: (error: unknown) => void,
): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  app.onError((error) => format(toProblem(error, report)));
  if (middleware) app.use(`${prefix}/*`, middleware);
  for (const { method, path, access, handler, optionalSlash, cacheable } of routes) {
    const before = [...guards[access], ...(cacheable ? guards.cacheable : [])];
    app.on(method, optionalSlash ? [path, `${path}/`] : [path], ...before, handler);
  }
  // It runs only where no route matched, so routes that match pay nothing for it.
  app.on(
    "ALL",
    [`${prefix}/*`],
    ...guards.key,
    methodNotAllowed({
      app,
      onMethodNotAllowed: (_, methods) => {
        const allow = methods.join(", ");
        return format(new Problem(405, `This path accepts ${allow}`, { allow }));
      },
    }),
    () => format(new Problem(404, "No route matches this path: GET /docs lists all routes")),
  );
  return app;
}

/**
 * Gets the model that the path names, or else the default one, loaded and checked.
 *
 * @throws {Problem} 404 if there is none with that name and version, 503 if it cannot be used
 */
export async function modelOf(c: Context<AppEnv>, { models }: Service): Promise<Classifier> {
  const name = c.req.param("model"), version = c.req.param("version");
  using lease = models.lease(name, version);
  const classifier = lease.engine.loaded ?? await lease.engine.classifier();
  if (name !== undefined) checkIdentity(classifier, name, version);
  return classifier;
}
