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
  /**
   * Waits before each piece of work, where it shares a thread with everything else: no event is handled while it runs,
   * and many pieces can be due within one turn of the event loop.
   */
  rest?: () => Promise<void>;
  /** The time in ms, on a clock that never goes back; `performance.now()` by default. */
  now?: () => number;
}

/** A place in which one piece of work runs. */
interface Slot {
  /** When it was taken. */
  since: number;
}

interface Waiting {
  isOver: boolean;
  start: (slot: Slot) => void;
}

/** A slot that is lost to a request that has ended without leaving it is free again after so many queue timeouts. */
const LOST_AFTER = 10;

export class Turns {
  readonly #options: TurnsOptions;
  readonly #queue = new FairQueue<Waiting>();
  readonly #work: Quota;
  readonly #now: () => number;
  /** Of work that runs or is about to start. */
  readonly #taken = new Set<Slot>();

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
  hasRoom(client: string, micros: number): boolean {
    return this.#work.hasRoom(client, Math.ceil(micros));
  }

  /**
   * Counts work that is about to come, until the result is disposed of.
   *
   * @returns undefined if the client may not queue it
   */
  expect(client: string, micros: number): Disposable | undefined {
    return this.#work.reserve(client, Math.ceil(micros));
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
      const slot = await this.#enter(client, cost);
      try {
        // By the one that starts, as the one that has finished may be gone.
        await this.#options.rest?.();
        if (isGone()) throw gone();
        return await work();
      } finally {
        if (this.#taken.delete(slot)) this.#next();
      }
    } finally {
      this.#work.give(client, cost);
    }
  }

  /** Waits for a slot and takes it. */
  async #enter(client: string, cost: number): Promise<Slot> {
    this.#forgetLost();
    if (this.#hasSlot()) return this.#take();
    const { queueTimeoutMs } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<Slot>();
    const waiting: Waiting = { isOver: false, start: resolve };
    this.#queue.push(client, { cost }, waiting);
    // workerd ends a request that waits for nothing but others, so each has a timer of its own.
    const timer = setTimeout(() => {
      waiting.isOver = true;
      reject(busy(`it was not the request's turn within ${queueTimeoutMs} ms`, "queue_timeout"));
    }, queueTimeoutMs);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
    }
  }

  #hasSlot(): boolean {
    return this.#taken.size < this.#options.slots;
  }

  #take(): Slot {
    const slot = { since: this.#now() };
    this.#taken.add(slot);
    return slot;
  }

  /** Hands a free slot to the next in the queue. */
  #next(): void {
    while (this.#hasSlot()) {
      const next = this.#queue.shift();
      if (!next) return;
      if (next.isOver) continue;
      next.isOver = true;
      next.start(this.#take());
    }
  }

  #forgetLost(): void {
    const oldest = this.#now() - LOST_AFTER * this.#options.queueTimeoutMs;
    for (const slot of this.#taken) if (slot.since < oldest) this.#taken.delete(slot);
    this.#next();
  }
}
