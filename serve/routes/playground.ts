/**
 * `GET /playground/{file}`: what the page at `GET /` is made of.
 *
 * @module
 */
import type { Handler } from "hono";
import type { AppEnv } from "../context.ts";
import { Problem } from "../problem.ts";
import { tagOf } from "../entity_tag.ts";
import { pageFile } from "../playground/files.ts";

export function playground(): Handler<AppEnv, "/playground/:file"> {
  const tags = new Map<string, string>();
  return async (c): Promise<Response> => {
    const name = c.req.param("file");
    const file = await pageFile(name);
    if (!file) throw new Problem(404, "The page has no such file");
    // The name of an immutable file has its version.
    const tag = file.immutable ? `W/"${name}"` : tags.get(name) ?? await tagOf(file.body);
    tags.set(name, tag);
    return new Response(file.body, {
      headers: {
        "content-type": file.mediaType,
        "cache-control": file.immutable ? "public, max-age=31536000, immutable" : "no-cache",
        // A service worker's requests are subject to the policy of its own file.
        "content-security-policy": "default-src 'none'; connect-src 'self'; frame-ancestors 'none'",
        // The service worker is for the page, which is above it.
        "service-worker-allowed": "/",
        etag: tag,
      },
    });
  };
}
