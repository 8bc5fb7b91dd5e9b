/**
 * Runs heavy work, a few pieces at a time and in fair turns, so that nobody waits for more than a turn of each other
 * client.
 *
 * @module
 */
import { busy, gone, QUEUED_TIMEOUTS } from "./admission.ts";
import { FairQueue } from "./fair_queue.ts";
import { Quota } from "./quota.ts";

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
  isOver: boolean;
  start: () => void;
}

/** A slot that is lost to a request that has ended without leaving it is free again after so many queue timeouts. */
const LOST_AFTER = 10;

export class Turns {
  readonly #options: TurnsOptions;
  readonly #queue = new FairQueue<Waiting>();
  readonly #work: Quota;
  readonly #now: () => number;
  /** Slots of work that is about to start. */
  #reserved = 0;
  /** When each piece of work started that runs. */
  readonly #running = new Set<{ since: number }>();

  constructor(options: TurnsOptions) {
    this.#options = options;
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
      await this.#enter(client, cost);
      const slot = { since: this.#now() };
      this.#running.add(slot);
      this.#reserved--;
      try {
        if (isGone()) throw gone();
        return await work();
      } finally {
        if (this.#running.delete(slot)) this.#next();
      }
    } finally {
      this.#work.give(client, cost);
    }
  }

  /** Waits for a slot and reserves it. */
  async #enter(client: string, cost: number): Promise<void> {
    this.#forgetLost();
    if (this.#hasSlot()) {
      this.#reserved++;
      return;
    }
    const { queueTimeoutMs, pause } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting: Waiting = { isOver: false, start: resolve };
    this.#queue.push(client, { cost }, waiting);
    // workerd ends a request that waits for nothing but others, so each has a timer of its own.
    const timer = setTimeout(() => {
      waiting.isOver = true;
      reject(busy(`it was not the request's turn within ${queueTimeoutMs} ms`, "queue_timeout"));
    }, queueTimeoutMs);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
    }
    // By the one that starts, as the one that has finished may be gone.
    await pause?.();
  }

  #hasSlot(): boolean {
    return this.#running.size + this.#reserved < this.#options.slots;
  }

  /** Hands a free slot to the next in the queue. */
  #next(): void {
    while (this.#hasSlot()) {
      const next = this.#queue.shift();
      if (!next) return;
      if (next.isOver) continue;
      next.isOver = true;
      this.#reserved++;
      next.start();
    }
  }

  #forgetLost(): void {
    const oldest = this.#now() - LOST_AFTER * this.#options.queueTimeoutMs;
    for (const slot of this.#running) if (slot.since < oldest) this.#running.delete(slot);
    this.#next();
  }
}
