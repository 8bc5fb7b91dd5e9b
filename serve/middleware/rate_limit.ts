/**
 * How often one client may ask: by its API key, or else by its address. Where the platform counts across all
 * servers, it is asked; otherwise each client has a bucket of tokens that fills evenly.
 *
 * @module
 */
import type { MiddlewareHandler } from "hono";
import type { AppEnv } from "../context.ts";
import { Problem } from "../problem.ts";

// About 2 MB. Who has not asked for longest goes first, and by then mostly has a full bucket again.
const MAX_CLIENTS = 10_000;

/** @param perMinute what a bucket holds, and what flows into it in a minute; 0 for no limit of our own */
export function rateLimit(perMinute: number): MiddlewareHandler<AppEnv> {
  const buckets = perMinute > 0 ? new Buckets(perMinute) : undefined;
  return async (c, next): Promise<void> => {
    const { limiter, address } = c.env ?? {};
    if (limiter || buckets) {
      const key = c.get("key");
      const client = key === undefined ? `address ${networkOf(address ?? "")}` : `key ${key}`;
      const wait = limiter ? await ask(limiter, client) : buckets!.take(client, performance.now());
      if (wait > 0) {
        throw new Problem(429, "Too many requests from this client", { "retry-after": String(wait) });
      }
    }
    await next();
  };
}

/** Cloudflare says no more than yes or no; its shorter period is 10 s. */
async function ask(
  limiter: { limit(options: { key: string }): Promise<{ success: boolean }> },
  key: string,
): Promise<number> {
  return (await limiter.limit({ key })).success ? 0 : 10;
}

/** Token buckets, of a bounded number of clients. */
export class Buckets {
  readonly #perMs: number;
  readonly #buckets = new Map<string, { tokens: number; at: number }>();

  /**
   * @param capacity tokens a bucket holds, and gets in a minute
   * @param maxClients how many buckets are kept
   */
  constructor(readonly capacity: number, readonly maxClients = MAX_CLIENTS) {
    this.#perMs = capacity / 60_000;
  }

  /** How many clients have a bucket. */
  get size(): number {
    return this.#buckets.size;
  }

  /**
   * Takes a token.
   *
   * @param now ms on any clock that does not go back
   * @returns 0, or the seconds until there is a token, rounded up
   */
  take(client: string, now: number): number {
    const bucket = this.#buckets.get(client) ?? { tokens: this.capacity, at: now };
    bucket.tokens = Math.min(this.capacity, bucket.tokens + (now - bucket.at) * this.#perMs);
    bucket.at = now;
    // A Map keeps its order, so the first is the one that was used the longest ago.
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

/** An IPv4 address, or the /64 of an IPv6 one: that is what one customer gets, and may change within. */
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
