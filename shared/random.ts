/**
 * A small seeded generator, so that a run can be repeated: `Math.random` cannot be seeded.
 *
 * This is sfc32 of PractRand (Chris Doty-Humphrey, https://pracrand.sourceforge.net), which passes its
 * own statistical tests and needs nothing but 32-bit integer arithmetic: the same numbers everywhere.
 */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /**
   * Begins a stream.
   *
   * @param seed a whole number; `stream` gives independent generators for one seed
   */
  constructor(seed: number, stream = 0) {
    this.#a = seed | 0;
    // Seeds past 32 bits differ in their high half.
    this.#b = Math.floor(seed / 2 ** 32) | 0;
    this.#c = stream | 0;
    // Similar seeds start with similar numbers; this many rounds decorrelate them.
    for (let i = 0; i < 15; i++) this.uint32();
  }

  /** The four words of the state, to continue the stream elsewhere and come back. */
  get state(): Int32Array<ArrayBuffer> {
    return Int32Array.of(this.#a, this.#b, this.#c, this.#counter);
  }

  set state(words: Int32Array) {
    [this.#a, this.#b, this.#c, this.#counter] = words as unknown as [number, number, number, number];
  }

  /** A whole number in 0..2³²−1. */
  uint32(): number {
    const result = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + result) | 0;
    return result >>> 0;
  }

  /** A number in `[low, high)`; by default in `[0, 1)`. */
  uniform(low = 0, high = 1): number {
    return low + (high - low) * (this.uint32() / 2 ** 32);
  }

  /** A whole number in `0..count-1`. */
  below(count: number): number {
    return Math.floor(this.uniform(0, count));
  }

  /** True with this probability. */
  chance(share: number): boolean {
    return this.uniform() < share;
  }

  /** Shuffles in place (Fisher and Yates). */
  shuffle<T>(values: { length: number; [i: number]: T }): void {
    for (let i = values.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      const value = values[i]!;
      values[i] = values[j]!;
      values[j] = value;
    }
  }
}
