/**
 * What requests of a kind cost on average, for those of which nothing else is known yet.
 *
 * @module
 */

/** Averages are of about this many requests. */
const AVERAGED = 8;

export class Averages {
  readonly #averages = new Map<string, number>();

  /** The average of a kind; 1 if there was none. */
  of(kind: string): number {
    return this.#averages.get(kind) ?? 1;
  }

  /** Counts one request, less with each that follows. */
  add(kind: string, cost: number): void {
    const average = this.#averages.get(kind) ?? cost;
    this.#averages.set(kind, average + (cost - average) / AVERAGED);
  }
}
