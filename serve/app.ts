/**
 * The HTTP application: which path leads to which route. It knows no runtime and no model; both come from
 * the entry.
 *
 * @module
 */
import { Hono } from "hono";
import type { Classifier } from "../shared/inference/classifier.ts";
import { notFound } from "./middleware/not_found.ts";
import { Problem, problems } from "./middleware/problem.ts";
import { classify } from "./routes/classify.ts";
import { health } from "./routes/health.ts";
import { home } from "./routes/home.ts";
import { model } from "./routes/model.ts";

export interface AppOptions {
  /** Loads the model. It is called for the first request that needs it, and again after a failure. */
  load: () => Promise<Classifier>;
  /** Is told errors that are not the client's. */
  report: (error: unknown) => void;
}

/** Makes the application. */
export function createApp({ load, report }: AppOptions): Hono {
  const classifier = keep(async () => {
    try {
      return await load();
    } catch (error) {
      report(error);
      throw new Problem(503, "The model cannot be loaded");
    }
  });
  const app = new Hono();
  app.onError(problems(report));
  app.notFound(notFound(app));
  app.get("/", home(classifier));
  app.get("/healthz", health(classifier));
  app.get("/v1/model", model(classifier));
  app.post("/v1/classify", classify(classifier));
  return app;
}

/** Calls `make` once and keeps its result, but not a failure: a rejected promise would be kept for ever. */
function keep<T>(make: () => Promise<T>): () => Promise<T> {
  let kept: Promise<T> | undefined;
  return () =>
    kept ??= make().catch((error) => {
      kept = undefined;
      throw error;
    });
}
