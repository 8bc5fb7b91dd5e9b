/**
 * The metrics of one process, and data points for a platform that counts across many. Names are those of
 * OpenTelemetry's semantic conventions (https://opentelemetry.io/docs/specs/semconv/http/http-metrics/), or start with
 * `selvedge.`; spans and the log use the same.
 *
 * @module
 */
import type { Classifier, Scores } from "../shared/inference/classifier.ts";
import type { Admission } from "./admission/admission.ts";
import type { Platform, Timing } from "./context.ts";
import type { Models } from "./models/models.ts";
import type { Operation } from "./openapi/operation.ts";
import { type Count, type Distribution, Registry } from "./metrics.ts";
import type { Meter } from "./open_telemetry.ts";
import { modelAttributes, Predictions } from "./predictions.ts";

/** One request and its response. */
export interface Exchange {
  /** As {@linkcode methodOf} names it. */
  method: string;
  /** The pattern that matched, not the path, as clients can invent any number of paths; undefined if none did. */
  route: string | undefined;
  status: number;
  /** Why it was refused, as one word. */
  reason: string | undefined;
  /** From the head of the request to that of the response, in ms. */
  durationMs: number;
  timing: Timing;
}

/** The stages of a classification, as metrics, spans, the log and `Server-Timing` name them. */
export const STAGES = ["decode", "queue", "inference"] as const;

// Seconds. A single image takes 0.1 ms, a full queue 20 ms, and the queue timeout is one second.
const SECONDS = [.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5];
const IMAGES = [1, 2, 4, 8, 16, 32, 64, 128, 256];

// RFC 9110 and RFC 5789.
const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"]);

/**
 * A method as it is recorded. Clients can invent any number of methods, which share one name
 * (https://opentelemetry.io/docs/specs/semconv/registry/attributes/http/#http-request-method).
 */
export function methodOf(method: string): string {
  return METHODS.has(method) ? method : "_OTHER";
}

export class Telemetry {
  readonly #registry: Registry;
  readonly #durations;
  readonly #rejected;
  readonly #runs: Distribution;
  readonly #images: Count;
  readonly #stages: Readonly<{ [stage in typeof STAGES[number]]: Distribution }>;
  readonly #predictions: Predictions;
  readonly #series = new Map<string, Distribution>();
  #models: Models | undefined;

  /** @param meter exports the metrics as well; by default they are only read as text */
  constructor(meter?: Meter) {
    const registry = this.#registry = new Registry(meter);
    this.#durations = registry.histogram("http.server.request.duration", SECONDS, {
      unit: "s",
      help: "Duration of requests",
      // Deno exports it, with the route of the span.
      local: true,
    });
    this.#rejected = registry.counter("selvedge.rejections", {
      unit: "{request}",
      help: "Refused requests by reason",
    });
    const stages = registry.histogram("selvedge.stage.duration", SECONDS, {
      unit: "s",
      help: "Duration of the stages of a classification",
    });
    const stage = (name: string): Distribution => stages.of({ "selvedge.stage": name });
    this.#stages = { decode: stage("decode"), queue: stage("queue"), inference: stage("inference") };
    this.#images = registry.counter("selvedge.images", { unit: "{image}", help: "Images classified" }).of({});
    this.#runs = registry.histogram("selvedge.batch.size", IMAGES, {
      unit: "{image}",
      help: "Images per run of the model",
    }).of({});
    this.#predictions = new Predictions(registry);
  }

  /** Adds the gauges. */
  watch(models: Models, admission: Admission): void {
    this.#models = models;
    this.#registry.gauge(
      "selvedge.requests.active",
      { unit: "{request}", help: "Active requests" },
      () => [[{}, admission.active]],
    );
    this.#registry.gauge(
      "selvedge.ready",
      { help: "1 once the model is loaded and checked" },
      () => [[{}, models.list().some(({ isReady }) => isReady) ? 1 : 0]],
    );
    this.#registry.gauge(
      "selvedge.model.info",
      { help: "The models in memory" },
      () => models.loaded().map(({ description }) => [modelAttributes(description), 1]),
    );
  }

  /**
   * Starts the series of routes at 0: Prometheus sees no increase in a series that begins at 1, and so would miss the
   * first failure.
   */
  expect(routes: readonly { method: string; path: string; operation: Pick<Operation, "responses"> }[]): void {
    for (const { method, path, operation } of routes) {
      const successes = Object.keys(operation.responses).map(Number).filter((status) => status < 300);
      for (const status of [...successes, 500, 503]) this.#durationsOf(method, path, status);
    }
  }

  /** Counts one run of the model. */
  countRun(images: number): void {
    this.#runs.observe(images);
  }

  /** Counts the predictions for the images of one request. */
  countPredictions(
    { description }: Classifier,
    scores: Scores,
  ): { confidence: number; unfamiliar: number } {
    return this.#predictions.of(description).count(scores);
  }

  /** Counts one request. */
  count({ method, route, status, reason, durationMs, timing }: Exchange): void {
    this.#durationsOf(method, route, status).observe(durationMs / 1000);
    if (reason !== undefined) this.#rejected.add({ "error.type": reason });
    if (timing.images === 0) return;
    this.#images.add(timing.images);
    this.#stages.decode.observe(timing.decodeMs / 1000);
    this.#stages.queue.observe(timing.queueMs / 1000);
    this.#stages.inference.observe(timing.inferMs / 1000);
  }

  #durationsOf(method: string, route: string | undefined, status: number): Distribution {
    const key = `${method} ${status} ${route}`;
    let durations = this.#series.get(key);
    if (!durations) {
      durations = this.#durations.of({
        "http.request.method": method,
        ...(route !== undefined && { "http.route": route }),
        "http.response.status_code": status,
      });
      this.#series.set(key, durations);
    }
    return durations;
  }

  /** All metrics, in Prometheus' text format. */
  toString(): string {
    // Series that start at 0 show the first images as an increase.
    for (const { description } of this.#models?.loaded() ?? []) this.#predictions.of(description);
    return this.#registry.toString();
  }
}

/**
 * Writes one request to Cloudflare's Workers Analytics Engine, as the counters of one isolate cover few requests. The
 * columns are: blob1 route, blob2 method, blob3 status, blob4 reason, blob5 model version; double1 duration, double2
 * decode, double3 queue, double4 inference, all in ms, double5 images, double6 sum of their confidences, double7
 * unfamiliar images.
 */
export function writeDataPoint(
  analytics: NonNullable<Platform["analytics"]>,
  { method, route = "", status, reason, durationMs, timing }: Exchange,
  version: string,
): void {
  analytics.writeDataPoint({
    indexes: [route.slice(0, 96)],
    blobs: [route, method, String(status), reason ?? "", version],
    doubles: [
      durationMs,
      timing.decodeMs,
      timing.queueMs,
      timing.inferMs,
      timing.images,
      timing.confidence,
      timing.unfamiliar,
    ],
  });
}
