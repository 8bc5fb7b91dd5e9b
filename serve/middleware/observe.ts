/**
 * Gives every request an id, times it, completes the headers of the response, and records the request in the metrics
 * and the log. It is the outermost middleware, and one instead of five, since each one costs time.
 *
 * @module
 */
import type { Context, MiddlewareHandler } from "hono";
import { routePath } from "hono/route";
import type { AppEnv, Timing } from "../context.ts";
import type { Engine } from "../engine.ts";
import type { Log } from "../log.ts";
import { type Exchange, methodOf, type Telemetry, writeDataPoint } from "../telemetry.ts";
import { reasonOf } from "../problem.ts";

export interface Observers {
  engine: Engine;
  telemetry: Telemetry;
  log: Log;
}

// https://owasp.org/www-project-secure-headers/; frame-ancestors replaces X-Frame-Options. A route may set a
// Content-Security-Policy of its own.
const SECURITY: [string, string][] = [
  ["x-content-type-options", "nosniff"],
  ["referrer-policy", "no-referrer"],
  ["cross-origin-resource-policy", "same-origin"],
];
const POLICY = "default-src 'none'; frame-ancestors 'none'";

export function observe({ engine, telemetry, log }: Observers): MiddlewareHandler<AppEnv> {
  return async (c, next): Promise<void> => {
    const start = performance.now();
    const timing: Timing = { decodeMs: 0, queueMs: 0, inferMs: 0, images: 0 };
    const id = requestId(c.req.raw.headers.get("x-request-id"));
    c.set("timing", timing);
    c.set("requestId", id);
    await next();
    const { headers, status } = c.res;
    for (const [name, value] of SECURITY) headers.set(name, value);
    if (!headers.has("content-security-policy")) headers.set("content-security-policy", POLICY);
    // Browsers ignore it over plain HTTP (RFC 6797, section 7.2).
    if (c.req.url.startsWith("https:")) headers.set("strict-transport-security", "max-age=31536000");
    headers.set("x-request-id", id);
    if (timing.images > 0) headers.set("server-timing", serverTiming(timing));
    const exchange: Exchange = {
      method: methodOf(c.req.method),
      route: routeOf(c),
      status,
      reason: reasonOf(status, c.error),
      durationMs: performance.now() - start,
      timing,
    };
    telemetry.count(exchange);
    const { analytics } = c.env ?? {};
    if (analytics) writeDataPoint(analytics, exchange, engine.loaded?.description.version ?? "");
    const level = status >= 500 ? "warn" : "info";
    if (log.enabled(level)) log(level, "request", fields(id, exchange, c.get("key")));
  };
}

/** The client's id, if it is safe in a log and a header, or a new one. */
function requestId(given: string | null): string {
  return given !== null && /^[\w.~:/+=-]{1,128}$/.test(given) ? given : crypto.randomUUID();
}

/** https://www.w3.org/TR/server-timing/; the unit is ms. */
function serverTiming({ decodeMs, queueMs, inferMs }: Timing): string {
  return `decode;dur=${decodeMs.toFixed(3)}, queue;dur=${queueMs.toFixed(3)}, inference;dur=${
    inferMs.toFixed(3)
  }`;
}

/** The pattern of the route that answered. */
function routeOf(c: Context<AppEnv>): string {
  const path = routePath(c);
  return path.endsWith("*") ? "none" : path;
}

function fields(
  id: string,
  { method, route, status, reason, durationMs, timing }: Exchange,
  key: string | undefined,
): Record<string, unknown> {
  return {
    request_id: id,
    method,
    route,
    status,
    reason,
    key,
    duration_ms: round(durationMs),
    ...(timing.images > 0 && {
      images: timing.images,
      decode_ms: round(timing.decodeMs),
      queue_ms: round(timing.queueMs),
      inference_ms: round(timing.inferMs),
    }),
  };
}

/** To microseconds. */
function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
