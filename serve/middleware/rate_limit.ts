/**
 * Limits the rate of requests per client, identified by its API key or else its address. If the platform has a limiter
 * that counts across all servers, that one decides; otherwise each client has a token bucket that refills evenly.
 *
 * @module
 */
import type { Context, MiddlewareHandler } from "hono";
import type { AppEnv } from "../context.ts";
import { Problem } from "../problem.ts";

// About 2 MB. The least recently active client is dropped first, whose bucket is mostly full again by then.
const MAX_CLIENTS = 10_000;

/** @param perMinute capacity of a bucket, and tokens added per minute; 0 for no limit of our own */
export function rateLimit(perMinute: number): MiddlewareHandler<AppEnv> {
  const buckets = perMinute > 0 ? new Buckets(perMinute) : undefined;
  return async (c, next): Promise<void> => {
    const limiter = c.env?.limiter;
    if (limiter || buckets) {
      const client = clientOf(c);
      const wait = limiter ? await ask(limiter, client) : buckets!.take(client, performance.now());
      if (wait > 0) {
        throw new Problem(429, "Too many requests from this client", { "retry-after": String(wait) });
      }
    }
    await next();
  };
}

/** Who sent a request: an API key, or else an address. */
export function clientOf(c: Context<AppEnv>): string {
  const key = c.get("key");
  return key === undefined ? `address ${networkOf(c.env?.address ?? "")}` : `key ${key}`;
}

/** Cloudflare's limiter returns only yes or no; its shorter period is 10 s. */
async function ask(
  limiter: { limit(options: { key: string }): Promise<{ success: boolean }> },
  key: string,
): Promise<number> {
  return (await limiter.limit({ key })).success ? 0 : 10;
}

/** Token buckets of a limited number of clients. */
export class Buckets {
  readonly #perMs: number;
  readonly #buckets = new Map<string, { tokens: number; at: number }>();

  /**
   * @param capacity tokens that a bucket holds, and that are added per minute
   * @param maxClients number of buckets that are kept
   */
  constructor(readonly capacity: number, readonly maxClients = MAX_CLIENTS) {
    this.#perMs = capacity / 60_000;
  }

  /** Number of clients with a bucket. */
  get size(): number {
    return this.#buckets.size;
  }

  /**
   * Takes a token.
   *
   * @param now the time in ms, on a clock that never goes back
   * @returns 0, or the seconds until the next token, rounded up
   */
  take(client: string, now: number): number {
    const bucket = this.#buckets.get(client) ?? { tokens: this.capacity, at: now };
    bucket.tokens = Math.min(this.capacity, bucket.tokens + (now - bucket.at) * this.#perMs);
    bucket.at = now;
    // A Map keeps the order of insertion, so the first is the least recently used.
    this.#buckets.delete(client);
    this.#buckets.set(client, bucket);
    if (this.#buckets.size > this.maxClients) {
      this.#buckets.delete(this.#buckets.keys().next().value!);
    }
    if (bucket.tokens < 1) return Math.ceil((1 - bucket.tokens) / this.#perMs / 1000);
    bucket.tokens--;
    return 0;
  }
}

/** An IPv4 address, or the /64 of an IPv6 address, as one customer gets a whole /64. */
export function networkOf(address: string): string {
  const mapped = /^::ffff:([0-9.]+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!address.includes(":")) return address;
  const [head, tail] = address.split("%", 1)[0]!.split("::");
  const groups = head === "" ? [] : head!.split(":");
  if (tail !== undefined) {
    const rest = tail === "" ? 0 : tail.split(":").length;
    groups.push(...Array(Math.max(0, 8 - groups.length - rest)).fill("0"), ...tail.split(":"));
  }
  return groups.slice(0, 4).map((group) => parseInt(group, 16).toString(16)).join(":");
}
