/**
 * Probes, under the names that Kubernetes itself uses (https://kubernetes.io/docs/reference/using-api/health-checks/).
 *
 * | path                 | response                                                                               |
 * | -------------------- | -------------------------------------------------------------------------------------- |
 * | `/livez`, `/healthz` | 200 while the process answers, whatever the state of the model: a restart would not help |
 * | `/readyz`            | 200 once a real inference has succeeded, else 503: send requests elsewhere               |
 *
 * @module
 */
import type { Handler } from "hono";
import type { AppEnv } from "../context.ts";
import { Problem } from "../problem.ts";
import type { Service } from "../protocols/protocol.ts";

export function live(): Handler<AppEnv> {
  return (c): Response => c.json({ status: "ok" });
}

export function ready({ models }: Service): Handler<AppEnv> {
  return async (c): Promise<Response> => {
    const { ready, reason } = await models.ready();
    if (!ready) throw new Problem(503, reason ?? "The server is not ready", { "retry-after": "1" }, "model");
    return c.json({ status: "ok" });
  };
}
