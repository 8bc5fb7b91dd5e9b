/**
 * Runs heavy work, a few pieces at a time and in fair turns, so that nobody waits for more than a turn of each other
 * client.
 *
 * @module
 */
import { busy, gone } from "./admission.ts";
import { FairQueue } from "./fair_queue.ts";
import { Quota } from "./quota.ts";

/**
 * Estimated work that may be queued, in queue timeouts: one client may queue what takes one timeout, and others still
 * find room.
 */
export const QUEUED_TIMEOUTS = 2;

export interface TurnsOptions {
  /** Pieces of work that run at a time. */
  slots: number;
  /** How long work may wait for its turn, in ms. */
  queueTimeoutMs: number;
  /** Waits between two pieces of work, where they share a thread with everything else. */
  pause?: () => Promise<void>;
  /** The time in ms, on a clock that never goes back; `performance.now()` by default. */
  now?: () => number;
}

interface Waiting {
  since: number;
  isGone: () => boolean;
  start: () => void;
  fail: (reason: unknown) => void;
}

export class Turns {
  readonly #options: TurnsOptions;
  readonly #queue = new FairQueue<Waiting>();
  readonly #work: Quota;
  readonly #now: () => number;
  #free: number;

  constructor(options: TurnsOptions) {
    this.#options = options;
    this.#free = options.slots;
    this.#work = new Quota(QUEUED_TIMEOUTS * 1000 * options.queueTimeoutMs * options.slots);
    this.#now = options.now ?? (() => performance.now());
  }

  /** Estimated work that is queued or runs, in µs. */
  get queuedMicros(): number {
    return this.#work.total;
  }

  /** Whether a client may queue more. */
  hasRoom(client: string): boolean {
    return this.#work.hasRoom(client, 1);
  }

  /**
   * Runs one piece of work when it is the client's turn.
   *
   * @param micros how long it is estimated to take, in µs
   * @param isGone whether the client has disconnected, so that the work need not start
   * @throws {Problem} 503 if too much work is queued, or no slot was free in time
   */
  async run<T>(
    client: string,
    micros: number,
    work: () => Promise<T>,
    isGone: () => boolean = () => false,
  ): Promise<T> {
    const cost = Math.ceil(micros);
    if (!this.#work.take(client, cost)) {
      throw busy(`${Math.round(this.#work.total / 1000)} ms of work are queued`, "queue_full");
    }
    try {
      await this.#enter(client, cost, isGone);
      try {
        return await work();
      } finally {
        this.#leave();
      }
    } finally {
      this.#work.give(client, cost);
    }
  }

  async #enter(client: string, cost: number, isGone: () => boolean): Promise<void> {
    if (this.#free > 0) {
      this.#free--;
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#queue.push(client, { cost }, { since: this.#now(), isGone, start: resolve, fail: reject });
    await promise;
    // By the one that starts, as the one that has finished may be gone.
    await this.#options.pause?.();
  }

  /** Hands the slot to the next in the queue. */
  #leave(): void {
    const { queueTimeoutMs } = this.#options;
    for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
      if (next.isGone()) next.fail(gone());
      else if (this.#now() - next.since <= queueTimeoutMs) return next.start();
      else next.fail(busy(`it was not the request's turn within ${queueTimeoutMs} ms`, "queue_timeout"));
    }
    this.#free++;
  }
}
