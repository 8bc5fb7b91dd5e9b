/**
 * What accompanies a request on its way through the application: what the platform says about it, and what is
 * noted down for the log, the metrics and `Server-Timing`.
 *
 * @module
 */

/**
 * What a platform gives with each request. Entries make it, since only they know their platform: Cloudflare
 * hands them its bindings, Deno the connection.
 */
export interface Platform {
  /** The client's address, as far as it can be trusted. */
  address?: string;
  /** A rate limiter that counts across all servers: Cloudflare's `[[ratelimits]]`. */
  limiter?: { limit(options: { key: string }): Promise<{ success: boolean }> };
  /** Takes one data point a request: Cloudflare's Workers Analytics Engine. */
  analytics?: {
    writeDataPoint(point: { indexes: string[]; blobs: string[]; doubles: number[] }): void;
  };
  /** Whether there are many servers behind one address, so that the counters of one would mislead. */
  distributed?: boolean;
}

/** What took how long, in ms. A handler notes what it knows; 0 is what did not happen. */
export interface Timing {
  /** From the body's last byte to pixels. */
  decodeMs: number;
  /** Waiting for the model. */
  queueMs: number;
  /** In the model, together with whatever ran in the same batch. */
  inferMs: number;
  /** How many images were classified. */
  images: number;
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
