/**
 * `GET /playground/{file}`: what the page at `GET /` is made of.
 *
 * @module
 */
import type { Handler } from "hono";
import type { AppEnv } from "../context.ts";
import { Problem } from "../problem.ts";
import { type PageFile, pageFile } from "../playground/files.ts";
import { sha256 } from "../../shared/sha256.ts";

export function playground(): Handler<AppEnv, "/playground/:file"> {
  const tags = new Map<string, string>();
  return async (c): Promise<Response> => {
    const name = c.req.param("file");
    const file = await pageFile(name);
    if (!file) throw new Problem(404, "The page has no such file");
    const headers = {
      "content-type": file.mediaType,
      "cache-control": file.immutable ? "public, max-age=31536000, immutable" : "no-cache",
      // A service worker's requests are subject to the policy of its own file.
      "content-security-policy": "default-src 'none'; connect-src 'self'; frame-ancestors 'none'",
      // The service worker is for the page, which is above it.
      "service-worker-allowed": "/",
      ...(!file.immutable && { etag: await tagOf(name, file, tags) }),
    };
    if (c.req.header("if-none-match") === headers.etag && headers.etag !== undefined) {
      return new Response(null, { status: 304, headers });
    }
    return new Response(file.body, { headers });
  };
}

async function tagOf(name: string, { body }: PageFile, tags: Map<string, string>): Promise<string> {
  let tag = tags.get(name);
  if (tag === undefined) {
    const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
    // Weak, as a proxy may compress it.
    tag = `W/"${(await sha256(bytes)).slice(0, 16)}"`;
    tags.set(name, tag);
  }
  return tag;
}
