/**
 * | path       | answer                                                                                |
 * | ---------- | ------------------------------------------------------------------------------------- |
 * | `/livez`   | 200 as long as the process answers: a restart would not help                           |
 * | `/readyz`  | 200 once a real inference has passed, else 503: send requests elsewhere                |
 * | `/healthz` | as `/readyz`                                                                           |
 *
 * @module
 */
import type { Handler } from "hono";
import type { AppEnv } from "../context.ts";
import type { Engine } from "../engine.ts";
import { Problem } from "../middleware/problem.ts";

export function live(): Handler<AppEnv> {
  return (c): Response => c.json({ status: "ok" });
}

export function ready(engine: Engine): Handler<AppEnv> {
  return async (c): Promise<Response> => {
    const { ready, reason } = await engine.ready();
    if (!ready) throw new Problem(503, reason ?? "The server is not ready", { "retry-after": "1" }, "model");
    return c.json({ status: "ok" });
  };
}
