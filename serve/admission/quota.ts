/**
 * A resource that all clients share and none can use up: a client may use as much as it leaves free, so at most half
 * while it is alone, and there is always room for a client that comes later (dynamic thresholds, Choudhury and Hahne,
 * https://doi.org/10.1109/90.664262).
 *
 * @module
 */
export class Quota {
  readonly limit: number;
  readonly #used = new Map<string, number>();
  #total = 0;

  /** @param limit of all clients together */
  constructor(limit: number) {
    this.limit = limit;
  }

  /** What all clients use. */
  get total(): number {
    return this.#total;
  }

  /** Whether a client may take an amount. */
  hasRoom(client: string, amount: number): boolean {
    // A server that is idle takes whatever it is asked for: other limits bound a single request.
    return this.#total === 0 || (this.#used.get(client) ?? 0) + amount <= this.limit - this.#total - amount;
  }

  /** Takes an amount for a client; false if it would use more than it leaves free. */
  take(client: string, amount: number): boolean {
    if (!this.hasRoom(client, amount)) return false;
    this.#used.set(client, (this.#used.get(client) ?? 0) + amount);
    this.#total += amount;
    return true;
  }

  /**
   * Takes an amount for a client until the result is disposed of; undefined if it would use more than it leaves free.
   */
  reserve(client: string, amount: number): Disposable | undefined {
    if (!this.take(client, amount)) return undefined;
    return { [Symbol.dispose]: () => this.give(client, amount) };
  }

  /** Gives back what was taken. */
  give(client: string, amount: number): void {
    const own = (this.#used.get(client) ?? 0) - amount;
    if (own > 0) this.#used.set(client, own);
    else this.#used.delete(client);
    this.#total -= amount;
  }
}
