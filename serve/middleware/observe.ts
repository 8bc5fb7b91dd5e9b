/**
 * Gives every request an id, times it, completes the headers of the response, and records the request in the metrics
 * and the log. It is the outermost middleware, and one instead of five, since each one costs time.
 *
 * @module
 */
import type { Context, MiddlewareHandler } from "hono";
import { routePath } from "hono/route";
import type { AppEnv, Timing } from "../context.ts";
import type { Models } from "../models/models.ts";
import type { Log } from "../log.ts";
import { type RequestSpan, traceIdOf } from "../open_telemetry.ts";
import { type Exchange, methodOf, type STAGES, type Telemetry, writeDataPoint } from "../telemetry.ts";
import { reasonOf } from "../problem.ts";

export interface Observers {
  models: Models;
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

export function observe({ models, telemetry, log }: Observers): MiddlewareHandler<AppEnv> {
  return async (c, next): Promise<void> => {
    const start = performance.now();
    const timing: Timing = {
      decodeStart: start,
      decodeMs: 0,
      queueMs: 0,
      inferMs: 0,
      images: 0,
      confidence: 0,
      unfamiliar: 0,
    };
    const id = requestId(c.req.raw.headers.get("x-request-id"));
    c.set("timing", timing);
    c.set("requestId", id);
    await next();
    const { headers, status } = c.res;
    for (const [name, value] of SECURITY) headers.set(name, value);
    if (!headers.has("content-security-policy")) headers.set("content-security-policy", POLICY);
    // Browsers ignore it over plain HTTP (RFC 6797, section 7.2).
    if (c.req.url.startsWith("https:")) headers.set("strict-transport-security", "max-age=31536000");
    // Deno would declare a length of 0.
    if (c.req.method === "HEAD" && c.res.body && !headers.has("content-length")) {
      headers.set("content-length", String((await c.res.bytes()).length));
    }
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
    const { analytics, span } = c.env ?? {};
    if (analytics) writeDataPoint(analytics, exchange, models.loaded()[0]?.description.version ?? "");
    if (span) trace(span, exchange);
    const level = status >= 500 ? "warn" : "info";
    if (log.enabled(level)) {
      const traceId = span?.spanContext().traceId ?? traceIdOf(c.req.raw.headers.get("traceparent"));
      log(level, "request", fields(id, traceId, exchange, c.get("key")));
    }
  };
}

/** The client's id, if it is safe in a log and a header, or a new one. */
function requestId(given: string | null): string {
  return given !== null && /^[\w.~:/+=-]{1,128}$/.test(given) ? given : crypto.randomUUID();
}

/** https://www.w3.org/TR/server-timing/; the unit is ms. */
function serverTiming(timing: Timing): string {
  return stagesOf(timing).map(([name, ms]) => `${name};dur=${ms.toFixed(3)}`).join(", ");
}

/** In the order in which they follow each other. */
function stagesOf({ decodeMs, queueMs, inferMs }: Timing): [name: typeof STAGES[number], ms: number][] {
  return [["decode", decodeMs], ["queue", queueMs], ["inference", inferMs]];
}

/** The pattern of the route that answered. */
function routeOf(c: Context<AppEnv>): string | undefined {
  const path = routePath(c);
  return path.endsWith("*") ? undefined : path;
}

/** https://opentelemetry.io/docs/specs/semconv/http/http-spans/#name; the platform sets the other attributes. */
function trace(span: RequestSpan, { method, route, timing }: Exchange): void {
  if (route !== undefined) {
    span.updateName(`${method} ${route}`);
    span.setAttribute("http.route", route);
  }
  if (timing.images === 0) return;
  span.setAttribute("selvedge.images", timing.images);
  let start = timing.decodeStart;
  for (const [name, ms] of stagesOf(timing)) {
    span.addStage?.(name, start, ms);
    start += ms;
  }
}

function fields(
  id: string,
  traceId: string | undefined,
  { method, route, status, reason, durationMs, timing }: Exchange,
  key: string | undefined,
): Record<string, unknown> {
  return {
    request_id: id,
    trace_id: traceId,
    "http.request.method": method,
    "http.route": route,
    "http.response.status_code": status,
    "error.type": reason,
    key,
    duration_ms: round(durationMs),
    ...(timing.images > 0 && {
      "selvedge.images": timing.images,
      ...(timing.unfamiliar > 0 && { "selvedge.unfamiliar": timing.unfamiliar }),
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
