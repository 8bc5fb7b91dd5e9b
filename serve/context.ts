/**
 * The context of a request: what the platform knows about it, and what is recorded for the log, the metrics and
 * `Server-Timing`.
 *
 * @module
 */
import type { Context } from "hono";
import type { RequestSpan } from "./open_telemetry.ts";

/**
 * What a platform adds to each request. The entries create it, as only they know their platform: Cloudflare passes its
 * bindings, Deno the connection.
 */
export interface Platform {
  /** The client's address, if it is known and trusted. */
  address?: string;
  /** A rate limiter that counts across all servers: Cloudflare's `[[ratelimits]]`. */
  limiter?: { limit(options: { key: string }): Promise<{ success: boolean }> };
  /** Receives one data point per request: Cloudflare's Workers Analytics Engine. */
  analytics?: {
    writeDataPoint(point: { indexes: string[]; blobs: string[]; doubles: number[] }): void;
  };
  /** The span of the request, if the platform traces it. */
  span?: RequestSpan;
  /** Keeps a request alive until a promise is settled, even if its client disconnects: Cloudflare's context. */
  waitUntil?: (promise: Promise<unknown>) => void;
  /** Whether many servers share one address, so that the counters of one would mislead. */
  distributed?: boolean;
}

/** Durations of the stages of a request, in ms; 0 if a stage did not run. */
export interface Timing {
  /** When decoding began, on the clock of `performance.now()`. */
  decodeStart: number;
  /** From the last byte of the body to pixels. */
  decodeMs: number;
  /** Waiting for the model. */
  queueMs: number;
  /** In the model, for the whole batch that this request was part of. */
  inferMs: number;
  /** Number of classified images. */
  images: number;
  /** Sum of the probabilities of the predicted classes. */
  confidence: number;
  /** Images below the threshold of familiarity. */
  unfamiliar: number;
}

/** The types of Hono's context. */
export interface AppEnv {
  Bindings: Platform;
  Variables: {
    timing: Timing;
    requestId: string;
    /** First digits of the SHA-256 of the client's API key. */
    key?: string;
  };
}

/**
 * Finishes a request even if its client disconnects: workerd would stop it between two steps, and never give back the
 * memory and the turns that it has taken.
 */
export async function finish(c: Context<AppEnv>, answer: () => Promise<Response>): Promise<Response> {
  const answered = answer();
  c.env?.waitUntil?.(answered.catch(() => {}));
  return await answered;
}
