/**
 * A queue in which clients take turns, by start-time fair queueing (Goyal, Vin and Cheng,
 * https://doi.org/10.1145/248156.248171): each client gets the same share of the work, however many requests it sends
 * and however large they are. Within a client, small requests pass large ones.
 *
 * @module
 */

/** What an item costs, in any unit. */
export interface Weight {
  /** Work that serving the item takes; it delays the client's next items. */
  cost: number;
  /** Items of a client are served in ascending order of this number, `cost` by default. */
  rank?: number;
}

interface Entry<T> {
  item: T;
  cost: number;
  rank: number;
}

/** The items of one client. */
interface Flow<T> {
  /** In ascending order of rank. */
  entries: Entry<T>[];
  /** Virtual time at which its next item starts. */
  start: number;
}

/** Clients without items that are remembered at most, so that a client cannot gain by pausing. */
const MAX_IDLE = 1024;

export class FairQueue<T> {
  readonly #flows = new Map<string, Flow<T>>();
  /** Virtual time: the start of the item served last. */
  #now = 0;
  #size = 0;

  /** Number of items. */
  get size(): number {
    return this.#size;
  }

  /** Number of clients that have items or are remembered. */
  get clients(): number {
    return this.#flows.size;
  }

  /** @param client any name; items of the same client share its turns */
  push(client: string, { cost, rank = cost }: Weight, item: T): void {
    let flow = this.#flows.get(client);
    if (!flow) this.#flows.set(client, flow = { entries: [], start: this.#now });
    // A client that had nothing to serve saves no turns.
    if (flow.entries.length === 0) flow.start = Math.max(flow.start, this.#now);
    const { entries } = flow;
    let at = entries.length;
    while (at > 0 && entries[at - 1]!.rank > rank) at--;
    entries.splice(at, 0, { item, cost, rank });
    this.#size++;
  }

  /** Removes the next item; undefined if there is none. */
  shift(): T | undefined {
    const flow = this.#next();
    if (!flow) return undefined;
    const { item, cost } = flow.entries.shift()!;
    this.#now = flow.start;
    flow.start += cost;
    this.#size--;
    if (this.#size === 0) {
      this.#flows.clear();
      this.#now = 0;
    } else if (this.#flows.size > MAX_IDLE) this.#forgetIdle();
    return item;
  }

  /** The next item, which stays in the queue. */
  peek(): T | undefined {
    return this.#next()?.entries[0]?.item;
  }

  #next(): Flow<T> | undefined {
    let next: Flow<T> | undefined;
    for (const flow of this.#flows.values()) {
      if (flow.entries.length > 0 && (!next || flow.start < next.start)) next = flow;
    }
    return next;
  }

  /** Forgets clients that have no debt, and if others are too many, the half with the smallest. */
  #forgetIdle(): void {
    const idle = [...this.#flows].filter(([, { entries }]) => entries.length === 0)
      .sort(([, a], [, b]) => b.start - a.start);
    const debtors = idle.filter(([, { start }]) => start > this.#now).length;
    const kept = debtors > MAX_IDLE ? MAX_IDLE / 2 : debtors;
    for (const [client] of idle.slice(kept)) this.#flows.delete(client);
  }
}
