/**
 * API keys as bearer tokens (RFC 6750). A token is compared with all keys, by their SHA-256 and in constant time,
 * so that the duration reveals nothing about a guess.
 *
 * @module
 */
import type { MiddlewareHandler } from "hono";
import { sha256Bytes } from "../../shared/sha256.ts";
import type { AppEnv } from "../context.ts";
import { Problem } from "../problem.ts";

/** Sets the variable `key` of requests with a valid key; it refuses none. */
export function identify(keys: readonly string[]): MiddlewareHandler<AppEnv> {
  let digests: Promise<Uint8Array[]> | undefined;
  return async (c, next): Promise<void> => {
    const token = /^Bearer +(\S{1,1024}) *$/i.exec(c.req.header("authorization") ?? "")?.[1];
    if (token !== undefined) {
      const digest = await sha256Bytes(token);
      digests ??= Promise.all(keys.map(sha256Bytes));
      let valid = 0;
      for (const known of await digests) valid |= Number(isEqual(known, digest));
      if (valid === 1) c.set("key", digest.subarray(0, 4).toHex());
    }
    await next();
  };
}

/** Refuses requests without a valid key. */
export function authorize(): MiddlewareHandler<AppEnv> {
  return async (c, next): Promise<void> => {
    if (c.get("key") === undefined) {
      const given = c.req.header("authorization") !== undefined;
      throw new Problem(
        401,
        given ? "The API key is invalid" : "An API key is required: Authorization: Bearer <key>",
        { "www-authenticate": `Bearer realm="selvedge"${given ? ', error="invalid_token"' : ""}` },
      );
    }
    await next();
  };
}

/** Refuses all requests to routes that change a server without keys. */
export function forbid(): MiddlewareHandler<AppEnv> {
  return (): never => {
    throw new Problem(403, "This route needs an API key, and the server has none: set API_KEYS");
  };
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  let difference = 0;
  for (let i = 0; i < 32; i++) difference |= a[i]! ^ b[i]!;
  return difference === 0;
}
