/**
 * `GET /metrics`: the counters of this process, in Prometheus' text format. On Cloudflare many isolates share one
 * address and each scrape would reach another one, so there the path does not exist.
 *
 * @module
 */
import type { Handler } from "hono";
import type { AppEnv } from "../context.ts";
import { Problem } from "../problem.ts";
import type { Service } from "../protocols/protocol.ts";

export function metrics({ telemetry }: Service): Handler<AppEnv> {
  return (c): Response => {
    if (c.env?.distributed) {
      throw new Problem(
        404,
        "There are no metrics at this path on Cloudflare, as each scrape would reach another isolate: use " +
          "Workers Analytics Engine or the logs",
      );
    }
    return c.body(String(telemetry), 200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" });
  };
}
