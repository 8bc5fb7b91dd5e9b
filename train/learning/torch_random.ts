/**
 * PyTorch's random numbers: gives `nn.Linear` the same initial weights as `torch.manual_seed(seed)` on a CPU, bit for
 * bit, so that runs in both can be compared.
 *
 * PyTorch uses the Mersenne Twister mt19937 (Matsumoto and Nishimura, 1998) and keeps the low 24 bits of each number,
 * the precision of a float32.
 */
export class TorchRandom {
  static readonly #SIZE = 624;
  readonly #state = new Uint32Array(TorchRandom.#SIZE);
  #next = TorchRandom.#SIZE;

  /** @param seed a whole number; mt19937 uses its low 32 bits, as `torch.manual_seed` does on a CPU */
  constructor(seed: number) {
    this.#state[0] = seed;
    for (let i = 1; i < TorchRandom.#SIZE; i++) {
      const previous = this.#state[i - 1]!;
      this.#state[i] = Math.imul(1812433253, previous ^ (previous >>> 30)) + i;
    }
  }

  /** As `tensor.uniform_(low, high)`: a float32 in `[low, high)`. */
  uniform(low: number, high: number): number {
    const f = Math.fround;
    const unit = f((this.#uint32() & 0xffffff) / 2 ** 24);
    // PyTorch uses a fused multiply-add: the product is exact in float64, and only the sum is rounded.
    return f(unit * f(f(high) - f(low)) + f(low));
  }

  #uint32(): number {
    if (this.#next === TorchRandom.#SIZE) this.#twist();
    let y = this.#state[this.#next++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  #twist(): void {
    const state = this.#state, size = TorchRandom.#SIZE;
    for (let i = 0; i < size; i++) {
      const y = (state[i]! & 0x80000000) | (state[(i + 1) % size]! & 0x7fffffff);
      state[i] = state[(i + 397) % size]! ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    this.#next = 0;
  }
}
