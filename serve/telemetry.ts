/**
 * The metrics of one process, and data points for a platform that counts across many.
 *
 * @module
 */
import type { Platform, Timing } from "./context.ts";
import type { Engine } from "./engine.ts";
import { type Count, type Distribution, Registry } from "./metrics.ts";

/** One request and its response. */
export interface Exchange {
  /** As {@linkcode methodOf} names it. */
  method: string;
  /** The pattern that matched, not the path, as clients can invent any number of paths. */
  route: string;
  status: number;
  /** Why it was refused, as one word. */
  reason: string | undefined;
  /** From the head of the request to that of the response, in ms. */
  durationMs: number;
  timing: Timing;
}

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
  readonly #registry = new Registry();
  readonly #requests = this.#registry.counter("selvedge_requests_total", "Requests by route and status");
  readonly #rejected = this.#registry.counter("selvedge_rejected_total", "Refused requests by reason");
  readonly #durations = this.#registry.histogram(
    "selvedge_request_duration_seconds",
    "Duration of requests",
    SECONDS,
  );
  readonly #stages = this.#registry.histogram(
    "selvedge_stage_duration_seconds",
    "Duration of the stages of a classification",
    SECONDS,
  );
  readonly #images = this.#registry.counter("selvedge_images_total", "Images classified");
  readonly #batches = this.#registry.histogram(
    "selvedge_batch_images",
    "Images per run of the model",
    IMAGES,
  );
  readonly #runs = this.#batches.of({});
  readonly #classified = {
    images: this.#images.of({}),
    decode: this.#stages.of({ stage: "decode" }),
    queue: this.#stages.of({ stage: "queue" }),
    inference: this.#stages.of({ stage: "inference" }),
  };
  readonly #lines = new Map<string, { requests: Count; duration: Distribution }>();

  /** Adds the gauges of the engine. */
  watch(engine: Engine): void {
    this.#registry.gauge("selvedge_active_requests", "Active requests", () => [[{}, engine.active]]);
    this.#registry.gauge(
      "selvedge_ready",
      "1 once the model is loaded and checked",
      () => [[{}, engine.loaded ? 1 : 0]],
    );
    this.#registry.gauge("selvedge_model_info", "The model in use", () => {
      const description = engine.loaded?.description;
      return description ? [[{ name: description.name, version: description.version }, 1]] : [];
    });
  }

  /** Counts one run of the model. */
  countRun(images: number): void {
    this.#runs.observe(images);
  }

  /** Counts one request. */
  count({ method, route, status, reason, durationMs, timing }: Exchange): void {
    const key = `${method} ${status} ${route}`;
    let lines = this.#lines.get(key);
    if (!lines) {
      lines = {
        requests: this.#requests.of({ route, method, status }),
        duration: this.#durations.of({ route }),
      };
      this.#lines.set(key, lines);
    }
    lines.requests.value++;
    lines.duration.observe(durationMs / 1000);
    if (reason !== undefined) this.#rejected.add({ reason });
    if (timing.images === 0) return;
    this.#classified.images.value += timing.images;
    this.#classified.decode.observe(timing.decodeMs / 1000);
    this.#classified.queue.observe(timing.queueMs / 1000);
    this.#classified.inference.observe(timing.inferMs / 1000);
  }

  /** All metrics, in Prometheus' text format. */
  toString(): string {
    return this.#registry.toString();
  }
}

/**
 * Writes one request to Cloudflare's Workers Analytics Engine, as the counters of one isolate cover few requests. The
 * columns are: blob1 route, blob2 method, blob3 status, blob4 reason, blob5 model version; double1 duration, double2
 * decode, double3 queue, double4 inference, all in ms, double5 images.
 */
export function writeDataPoint(
  analytics: NonNullable<Platform["analytics"]>,
  { method, route, status, reason, durationMs, timing }: Exchange,
  version: string,
): void {
  analytics.writeDataPoint({
    indexes: [route.slice(0, 96)],
    blobs: [route, method, String(status), reason ?? "", version],
    doubles: [durationMs, timing.decodeMs, timing.queueMs, timing.inferMs, timing.images],
  });
}
