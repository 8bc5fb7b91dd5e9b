/**
 * For responses that depend on the program and the model only: an entity tag, 304 for clients that have the current
 * content (RFC 9110, section 13), and gzip. Cloudflare compresses by itself, so there only the tag is added.
 *
 * @module
 */
import type { Context, MiddlewareHandler } from "hono";
import type { AppEnv } from "../context.ts";
import { hasTag, tagOf } from "../entity_tag.ts";
import { acceptsGzip, gzip } from "../gzip.ts";

const COMPRESSIBLE = /^(text\/(?!event-stream)|image\/svg|application\/(json|javascript|wasm))/;
/** Shorter content is not worth the time. */
const MIN_BYTES = 1024;

/** Makes the middleware; all routes should share it, with what it has compressed. */
export function cacheable(): MiddlewareHandler<AppEnv> {
  const compressed = new Map<string, Promise<Uint8Array<ArrayBuffer>>>();
  return async (c, next): Promise<void> => {
    await next();
    const { status, headers } = c.res;
    if (status !== 200 && status !== 206) return;
    const fixedTag = headers.get("etag");
    const content = fixedTag === null ? await c.res.bytes() : undefined;
    const tag = fixedTag ?? await tagOf(content!);
    headers.set("etag", tag);
    if (!headers.has("cache-control")) headers.set("cache-control", "no-cache");
    if (content) replace(c, content);
    const mayCompress = isCompressible(c) && (content?.length ?? Infinity) >= MIN_BYTES;
    if (mayCompress) c.res.headers.append("vary", "Accept-Encoding");
    if (hasTag(c.req.header("if-none-match"), tag)) {
      await c.res.body?.cancel();
      return replace(c, null, 304);
    }
    if (!mayCompress || !acceptsGzip(c.req.header("accept-encoding"))) return;
    // The handlers' own tags are those of files, whose number is limited.
    let bytes = content ? gzip(content) : compressed.get(tag);
    if (!bytes) {
      bytes = c.res.bytes().then(gzip);
      bytes.catch(() => compressed.delete(tag));
      compressed.set(tag, bytes);
    }
    replace(c, await bytes);
    c.res.headers.set("content-encoding", "gzip");
  };
}

function isCompressible({ env, res: { headers, status } }: Context<AppEnv>): boolean {
  return !env?.distributed && status === 200 && !headers.has("content-encoding") &&
    COMPRESSIBLE.test(headers.get("content-type") ?? "") &&
    !/\bno-transform\b/.test(headers.get("cache-control") ?? "");
}

/** Replaces the content of the response. Without the first line Hono would merge the headers of both. */
function replace(c: Context<AppEnv>, body: Uint8Array<ArrayBuffer> | null, status = c.res.status): void {
  const headers = new Headers(c.res.headers);
  headers.delete("content-length");
  if (body === null) headers.delete("content-type");
  c.res = undefined;
  c.res = new Response(body, { status, headers });
}
