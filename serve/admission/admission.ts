/**
 * Who may use how much of the server at a time: requests, bytes of bodies, and work. What is over a limit is refused at
 * once, so that the client can go elsewhere, and every limit is shared fairly between clients.
 *
 * @module
 */
import type { Config } from "../config.ts";
import { Problem } from "../problem.ts";
import { Averages } from "./averages.ts";
import { Quota } from "./quota.ts";

/** After this many queue timeouts, an active request is considered lost: decoding and waiting take far less. */
const LOST_AFTER = 10;

/** Bodies of the largest size that are in memory at a time: one client's, and with it the room for another's. */
const LARGEST_BODIES = 3;

/**
 * Estimated work that may be queued, in queue timeouts: one client may queue what takes one timeout, and others still
 * find room.
 */
export const QUEUED_TIMEOUTS = 2;

/** Seconds until a retry: the queues are short, so they empty quickly. */
const RETRY = { "retry-after": "1" };

/** @param reason one word under which the metrics count it */
export function busy(why: string, reason: string): Problem {
  return new Problem(503, `The server is busy: ${why}`, RETRY, reason);
}

/** For the log: nobody receives it. */
export function gone(): Problem {
  return new Problem(400, "The client has disconnected", {}, "disconnected");
}

export interface AdmissionOptions {
  config: Pick<Config, "maxConcurrency" | "queueTimeoutMs" | "maxBodyBytes">;
  /** The time in ms, on a clock that never goes back; `performance.now()` by default. */
  now?: () => number;
}

export class Admission {
  /** Bytes of bodies in memory, and of what they become. */
  readonly bodies: Quota;
  /** Estimated time in the models of what is queued, in µs. */
  readonly inference: Quota;
  /** What large requests of a media type take in the models, in µs. */
  readonly inferenceAverages = new Averages();
  readonly #requests: Quota;
  readonly #lostAfterMs: number;
  readonly #now: () => number;
  /** The active requests, in the order of their admission. */
  readonly #active = new Set<{ client: string; since: number }>();

  constructor({ config, now = () => performance.now() }: AdmissionOptions) {
    this.bodies = new Quota(LARGEST_BODIES * config.maxBodyBytes);
    this.inference = new Quota(QUEUED_TIMEOUTS * 1000 * config.queueTimeoutMs);
    this.#requests = new Quota(config.maxConcurrency);
    this.#lostAfterMs = LOST_AFTER * config.queueTimeoutMs;
    this.#now = now;
  }

  /** Number of active requests. */
  get active(): number {
    return this.#active.size;
  }

  /**
   * Processes one request, from the last byte of its body to its response, unless too many are active. Requests that
   * are still sending their body do not count, or slow clients could block all others.
   *
   * @param client who sent it
   * @throws {Problem} 503 if `maxConcurrency` requests are active, or this client would have more than it leaves free
   */
  async admit<T>(client: string, work: () => Promise<T>): Promise<T> {
    if (!this.#requests.take(client, 1)) {
      this.#forgetLost();
      if (!this.#requests.take(client, 1)) {
        throw busy(
          `${this.#active.size} of at most ${this.#requests.limit} requests are active`,
          "concurrency",
        );
      }
    }
    const entry = { client, since: this.#now() };
    this.#active.add(entry);
    try {
      return await work();
    } finally {
      this.#release(entry);
    }
  }

  /** workerd may stop a request whose client disconnects, without running `finally`. */
  #forgetLost(): void {
    const oldest = this.#now() - this.#lostAfterMs;
    for (const entry of this.#active) {
      if (entry.since >= oldest) break;
      this.#release(entry);
    }
  }

  #release(entry: { client: string; since: number }): void {
    if (this.#active.delete(entry)) this.#requests.give(entry.client, 1);
  }
}
