/**
 * `GET /metrics`: the counters of this process, in Prometheus' text format. Where one address stands for many
 * servers, each scrape would meet another one, so there it says where to look instead.
 *
 * @module
 */
import type { Handler } from "hono";
import type { AppEnv } from "../context.ts";
import { Problem } from "../middleware/problem.ts";
import type { Telemetry } from "../telemetry.ts";

export function metrics(telemetry: Telemetry): Handler<AppEnv> {
  return (c): Response => {
    if (c.env?.distributed) {
      throw new Problem(
        501,
        "Each scrape would meet another server and its counters mislead; they are in Workers Analytics Engine " +
          "and in the logs",
      );
    }
    return c.body(String(telemetry), 200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" });
  };
}
