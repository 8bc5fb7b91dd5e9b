/**
 * `GET /openapi.json`: what the server speaks, for machines.
 *
 * @module
 */
import type { Handler } from "hono";
import type { Config } from "../config.ts";
import type { AppEnv } from "../context.ts";
import { describeApi } from "../openapi/document.ts";

export function openapi(config: Config): Handler<AppEnv> {
  let document: string | undefined;
  return (c): Response => {
    document ??= JSON.stringify(describeApi(config));
    return c.body(document, 200, { "content-type": "application/json" });
  };
}
