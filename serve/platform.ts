/**
 * Converts the second argument of `fetch`, which differs between platforms, into a {@linkcode Platform}. Only entries
 * import it.
 *
 * @module
 */
import type { Platform } from "./context.ts";

/** Variables, secrets and bindings of a Cloudflare Worker, as wrangler.toml names them. */
export interface CloudflareEnv {
  RATE_LIMITER?: NonNullable<Platform["limiter"]>;
  ANALYTICS?: NonNullable<Platform["analytics"]>;
  [variable: string]: unknown;
}

/** What `Deno.serve` and `deno serve` say about a connection. */
export interface DenoInfo {
  remoteAddr: { hostname?: string };
}

export function onCloudflare(request: Request, { RATE_LIMITER, ANALYTICS }: CloudflareEnv): Platform {
  const address = request.headers.get("cf-connecting-ip");
  return {
    distributed: true,
    ...(address !== null && { address }),
    ...(RATE_LIMITER && { limiter: RATE_LIMITER }),
    ...(ANALYTICS && { analytics: ANALYTICS }),
  };
}

/** @param header in which a trusted proxy puts the client's address; empty to use the connection's */
export function onDeno(request: Request, info: DenoInfo | undefined, header: string): Platform {
  const address = (header === "" ? null : request.headers.get(header)) ?? info?.remoteAddr.hostname;
  return address === undefined ? {} : { address: address.trim() };
}
