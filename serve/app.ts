/**
 * The HTTP application: one Hono application per protocol, behind common middleware. It knows neither the runtime nor
 * the model; both come from the entry.
 *
 * @module
 */
import { Hono, type MiddlewareHandler } from "hono";
import { cors } from "hono/cors";
import type { Classifier } from "../shared/inference/classifier.ts";
import { Admission } from "./admission/admission.ts";
import { type Config, readConfig } from "./config.ts";
import type { AppEnv } from "./context.ts";
import { RequestReader, type TaskPool } from "./decode/reader.ts";
import { Engine } from "./engine.ts";
import { Feedback, type FeedbackStore } from "./feedback/feedback.ts";
import { RecentImages } from "./feedback/recent.ts";
import { createLog, type Log } from "./log.ts";
import { type MakeModel, type Models, type Repository, SingleModel } from "./models/models.ts";
import { authorize, forbid, identify } from "./middleware/auth.ts";
import { cacheable } from "./middleware/cacheable.ts";
import { observe } from "./middleware/observe.ts";
import { rateLimit } from "./middleware/rate_limit.ts";
import type { Meter } from "./open_telemetry.ts";
import { problemDocument, toProblem } from "./problem.ts";
import type { ModelFiles } from "./model_files.ts";
import { huggingFace } from "./protocols/hugging_face.ts";
import { native } from "./protocols/native.ts";
import { openInference } from "./protocols/open_inference.ts";
import { operation } from "./protocols/operation.ts";
import {
  createProtocolApp,
  type DescribedRoute,
  type Guards,
  type Protocol,
  type Service,
} from "./protocols/protocol.ts";
import { Statistics } from "./statistics.ts";
import { Telemetry } from "./telemetry.ts";

export interface AppOptions {
  /**
   * Loads the model, or makes the models of a server that has several. It is called by the first request that needs
   * the model, and again after a failure.
   */
  load: (() => Promise<Classifier>) | { models: (make: MakeModel) => Models };
  /** Reads the files beside the model; without it there are none. */
  files?: () => Promise<ModelFiles>;
  /** Receives errors that are not the client's. */
  report: (error: unknown) => void;
  config?: Config;
  /** Receives one line per request; by default nothing is logged. */
  log?: Log;
  /** Whether requests may come with a rate limiter of the platform. */
  hasLimiter?: boolean;
  /** Changes the models in all threads that share the port; by default those of this application. */
  repository?: Repository;
  /** The metrics of all threads that share the port; by default those of this application. */
  collectMetrics?: () => Promise<string>;
  /** Exports the metrics; by default they are only at `/metrics`. */
  meter?: Meter;
  /** Where feedback is kept; without it, none is taken. */
  feedback?: { store: FeedbackStore; hasRecent: boolean };
  /** Reads large requests in other threads; without it, that is done on the event loop. */
  pool?: TaskPool;
}

/** The application. */
export type App = Hono<AppEnv> & {
  /** For entries that load the model before the first request. */
  readonly models: Models;
  /** Deletes feedback that is too old, for entries that run for long; undefined if none is taken. */
  readonly deleteOldFeedback: (() => Promise<void>) | undefined;
  /** Its own metrics, in Prometheus' text format. */
  readonly metrics: () => string;
  /** Every route with its description. */
  readonly table: readonly DescribedRoute[];
};

/** Makes the application. */
export function createApp(
  {
    load,
    report,
    files = () => Promise.resolve({}),
    config = readConfig(),
    log = createLog("error", () => {}),
    hasLimiter = false,
    repository,
    collectMetrics,
    meter,
    feedback,
    pool,
  }: AppOptions,
): App {
  const telemetry = new Telemetry(meter);
  const admission = new Admission({ config });
  const make: MakeModel = ({ load, report: reportFailure = report, statistics = new Statistics() }) => {
    const onRun = (images: number): void => {
      telemetry.countRun(images);
      statistics.countRun();
    };
    return {
      engine: new Engine({ load, config, report: reportFailure, onRun, work: admission.inference }),
      statistics,
    };
  };
  const models = typeof load === "function" ? new SingleModel(make({ load })) : load.models(make);
  telemetry.watch(models, admission);
  const metrics = (): string => String(telemetry);
  const service: Service = {
    models,
    repository: repository ?? models,
    admission,
    reader: new RequestReader(config, pool),
    config,
    telemetry,
    files,
    collectMetrics: collectMetrics ?? metrics,
    ...(feedback && {
      feedback: {
        store: new Feedback({ store: feedback.store, limits: config }),
        ...(feedback.hasRecent && { recent: new RecentImages() }),
      },
    }),
  };

  const app = new Hono<AppEnv>();
  app.onError((error) => problemDocument(toProblem(error, report)));
  app.use(observe({ models, telemetry, log }));
  // A feature that is off costs nothing.
  if (config.corsOrigins.length > 0) app.use(cors(corsOptions(config.corsOrigins)));
  if (config.apiKeys.length > 0) app.use(identify(config.apiKeys));

  const guards = guardsOf(config, hasLimiter);
  const protocols: Protocol[] = [openInference(service), huggingFace(service), native(service)];
  // Last, as it also answers the paths that no protocol has.
  protocols.push(operation(service, () => table));
  const table = protocols.flatMap(({ routes, format }) => routes.map((route) => ({ ...route, format })));
  telemetry.expect(table.filter(({ method }) => method === "POST"));
  for (const protocol of protocols) app.route("/", createProtocolApp(protocol, guards, report));
  const deleteOldFeedback = service.feedback && ((): Promise<void> => service.feedback!.store.deleteOld());
  return Object.assign(app, { models, metrics, table, deleteOldFeedback });
}

function guardsOf({ rateLimitPerMinute, apiKeys }: Config, hasLimiter: boolean): Guards {
  const isLimited = rateLimitPerMinute > 0 || hasLimiter;
  const limited: MiddlewareHandler<AppEnv>[] = isLimited ? [rateLimit(rateLimitPerMinute)] : [];
  const hasKeys = apiKeys.length > 0;
  const authorized = hasKeys ? [...limited, authorize()] : limited;
  const admin = hasKeys ? authorized : [...limited, forbid()];
  return { probe: [], public: limited, key: authorized, admin, cacheable: [cacheable()] };
}

function corsOptions(origins: readonly string[]): Parameters<typeof cors>[0] {
  return {
    origin: origins[0] === "*" ? "*" : [...origins],
    allowMethods: ["GET", "HEAD", "POST"],
    allowHeaders: ["Authorization", "Content-Type", "Inference-Header-Content-Length", "X-Request-Id"],
    exposeHeaders: ["Inference-Header-Content-Length", "Retry-After", "Server-Timing", "X-Request-Id"],
    // Browsers cache a preflight for two hours at most.
    maxAge: 7200,
  };
}
