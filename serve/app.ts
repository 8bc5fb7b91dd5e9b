/**
 * The HTTP application: which path leads to which route. It knows no runtime and no model; both come from
 * the entry.
 *
 * @module
 */
import { Hono } from "hono";
import { cors } from "hono/cors";
import type { Classifier } from "../shared/inference/classifier.ts";
import { type Config, readConfig } from "./config.ts";
import type { AppEnv } from "./context.ts";
import { Engine } from "./engine.ts";
import { createLog, type Log } from "./log.ts";
import { authorize, identify } from "./middleware/auth.ts";
import { notFound } from "./middleware/not_found.ts";
import { observe } from "./middleware/observe.ts";
import { problems } from "./middleware/problem.ts";
import { rateLimit } from "./middleware/rate_limit.ts";
import { classify } from "./routes/classify.ts";
import { docs } from "./routes/docs.ts";
import { live, ready } from "./routes/health.ts";
import { home } from "./routes/home.ts";
import { metrics } from "./routes/metrics.ts";
import { huggingFace } from "./routes/hugging_face.ts";
import { model } from "./routes/model.ts";
import { modelFile } from "./routes/model_file.ts";
import { openapi } from "./routes/openapi.ts";
import { openInference } from "./routes/open_inference.ts";
import { playground } from "./routes/playground.ts";
import { Statistics } from "./statistics.ts";
import { Telemetry } from "./telemetry.ts";

export interface AppOptions {
  /** Loads the model. It is called for the first request that needs it, and again after a failure. */
  load: () => Promise<Classifier>;
  /** Is told errors that are not the client's. */
  report: (error: unknown) => void;
  config?: Config;
  /** Takes a line a request; silent where it is not given. */
  log?: Log;
}

/** The application, with its engine for entries that start it early. */
export type App = Hono<AppEnv> & { readonly engine: Engine };

/** Makes the application. */
export function createApp(
  { load, report, config = readConfig(), log = createLog("error", () => {}) }: AppOptions,
): App {
  const telemetry = new Telemetry();
  const statistics = new Statistics();
  const onRun = (images: number): void => {
    telemetry.countRun(images);
    statistics.countRun();
  };
  const engine = new Engine({ load, config, report, onRun });
  telemetry.watch(engine);
  const classifier = (): Promise<Classifier> => engine.classifier();
  const service = { engine, config, statistics };

  const app = new Hono<AppEnv>();
  app.onError(problems(report));
  app.notFound(notFound(app));

  app.use(observe({ engine, telemetry, log }));
  // What is off costs nothing.
  if (config.corsOrigins.length > 0) app.use(cors(corsOptions(config.corsOrigins)));
  if (config.apiKeys.length > 0) app.use(identify(config.apiKeys));
  app.use(rateLimit(config.rateLimit));
  if (config.apiKeys.length > 0) app.use(authorize());

  app.get("/", home(classifier, config));
  app.get("/playground/:file", playground());
  app.get("/livez", live());
  app.get("/readyz", ready(engine));
  app.get("/healthz", ready(engine));
  app.get("/metrics", metrics(telemetry));
  app.get("/v1/model", model(classifier, config));
  app.get("/v1/model/file", modelFile(classifier));
  app.post("/v1/classify", classify(service));
  app.post("/models/:model", huggingFace(service));
  openInference(app, service);
  app.get("/openapi.json", openapi(config));
  app.get("/docs", docs(config));
  return Object.assign(app, { engine });
}

function corsOptions(origins: readonly string[]): Parameters<typeof cors>[0] {
  return {
    origin: origins[0] === "*" ? "*" : [...origins],
    allowMethods: ["GET", "HEAD", "POST"],
    allowHeaders: ["Authorization", "Content-Type", "Inference-Header-Content-Length", "X-Request-Id"],
    exposeHeaders: ["Inference-Header-Content-Length", "Retry-After", "Server-Timing", "X-Request-Id"],
    // Browsers keep it for two hours at most.
    maxAge: 7200,
  };
}
