/**
 * Converts the second argument of `fetch`, which differs between platforms, into a {@linkcode Platform}. Only entries
 * import it.
 *
 * @module
 */
import type { Config } from "./config.ts";
import type { Bucket } from "./feedback/bucket.ts";
import type { Bucket as ModelsBucket } from "./models/bucket.ts";
import type { Platform } from "./context.ts";
import type { OpenTelemetry, Span } from "./open_telemetry.ts";

/** Variables, secrets and bindings of a Cloudflare Worker, as wrangler.toml names them. */
export interface CloudflareEnv {
  RATE_LIMITER?: NonNullable<Platform["limiter"]>;
  ANALYTICS?: NonNullable<Platform["analytics"]>;
  FEEDBACK?: Bucket;
  /** Models in place of the bundled one. */
  MODELS_BUCKET?: ModelsBucket;
  [variable: string]: unknown;
}

/** What `Deno.serve` and `deno serve` say about a connection. */
export interface DenoInfo {
  remoteAddr: { hostname?: string };
}

/** What comes with each call of a Cloudflare Worker. */
export interface CloudflareContext {
  waitUntil(promise: Promise<unknown>): void;
  /** https://developers.cloudflare.com/workers/observability/traces/custom-spans/ */
  tracing?: { getActiveSpan?(): (Span & { readonly isTraced: boolean }) | undefined };
}

export function onCloudflare(
  request: Request,
  { RATE_LIMITER, ANALYTICS }: CloudflareEnv,
  context: CloudflareContext | undefined,
): Platform {
  const address = request.headers.get("cf-connecting-ip");
  const span = context?.tracing?.getActiveSpan?.();
  return {
    distributed: true,
    ...(address !== null && { address }),
    ...(RATE_LIMITER && { limiter: RATE_LIMITER }),
    ...(ANALYTICS && { analytics: ANALYTICS }),
    ...(span?.isTraced && { span }),
    ...(context && { waitUntil: (promise): void => context.waitUntil(promise) }),
  };
}

/**
 * @param settings the header in which trusted proxies put the client's address, empty to use the connection's, and how
 * many of them append one
 * @param telemetry if requests are traced
 */
export function onDeno(
  request: Request,
  info: DenoInfo | undefined,
  { clientAddressHeader, trustedProxies }: Pick<Config, "clientAddressHeader" | "trustedProxies">,
  telemetry?: OpenTelemetry,
): Platform {
  const forwarded = clientAddressHeader === "" ? null : request.headers.get(clientAddressHeader);
  const address = addressOf(forwarded, trustedProxies) ?? info?.remoteAddr.hostname;
  const span = telemetry?.requestSpan();
  return { ...(address !== undefined && { address }), ...(span && { span }) };
}

/** Longer ones are not IP addresses, which have 45 characters at most. */
const MAX_ADDRESS = 64;

/**
 * The address that the first of the trusted proxies has seen. Each proxy appends the address of its own client, so it
 * is the entry that many places from the end; earlier ones were sent by the client itself.
 */
function addressOf(header: string | null, proxies: number): string | undefined {
  const entries = header?.split(",").map((entry) => entry.trim()).filter((entry) => entry !== "") ?? [];
  const entry = entries.at(-Math.min(proxies, entries.length));
  // Some proxies add the port: 192.0.2.1:50000, [2001:db8::1]:50000.
  return entry?.replace(/^\[([^\]]*)\](:\d+)?$|^([\d.]+):\d+$/, "$1$3").slice(0, MAX_ADDRESS);
}
