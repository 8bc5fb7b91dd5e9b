/**
 * `GET /metrics`: the counters of this process, with several threads those of each one, in Prometheus' text format. On
 * Cloudflare many isolates share one address and each scrape would reach another one, so there the path does not exist.
 *
 * @module
 */
import type { Handler } from "hono";
import type { AppEnv } from "../context.ts";
import { acceptsGzip, gzip } from "../gzip.ts";
import { Problem } from "../problem.ts";
import type { Service } from "../protocols/protocol.ts";

export function metrics({ collectMetrics }: Service): Handler<AppEnv> {
  return async (c): Promise<Response> => {
    if (c.env?.distributed) {
      throw new Problem(
        404,
        "There are no metrics at this path on Cloudflare, as each scrape would reach another isolate: use " +
          "Workers Analytics Engine or the logs",
      );
    }
    const text = await collectMetrics();
    const headers = {
      "content-type": "text/plain; version=0.0.4; charset=utf-8",
      "vary": "Accept-Encoding",
    };
    if (!acceptsGzip(c.req.header("accept-encoding"))) return c.body(text, 200, headers);
    return c.body(await gzip(new TextEncoder().encode(text)), 200, {
      ...headers,
      "content-encoding": "gzip",
    });
  };
}
