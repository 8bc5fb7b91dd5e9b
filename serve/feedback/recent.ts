/**
 * The images of recent requests, so that feedback can name a request instead of sending the picture again. They are
 * kept as input of the model, in memory only.
 *
 * @module
 */
import type { Classifier } from "../../shared/inference/classifier.ts";

/** How long an image is kept, in ms. */
const RECENT_MS = 10 * 60 * 1000;

/** Bytes of all images together. */
const MAX_BYTES = 16 * 1024 * 1024;

/** The key of a request to one model: clients choose ids, and may use the same one for several models. */
export function keyOf(
  { description: { name, version } }: Pick<Classifier, "description">,
  id: string,
): string {
  return `${name} ${version} ${id}`;
}

/** One request's images. */
interface Entry {
  /** `[M, imageSize]`, 0..255: those that were classified. */
  pixels: Uint8Array;
  /** Indices of the images of the request that were not classified. */
  failed: readonly number[];
  at: number;
}

export class RecentImages {
  readonly #entries = new Map<string, Entry>();
  readonly #now: () => number;
  #bytes = 0;

  /** @param now the time in ms, on a clock that never goes back */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /**
   * Keeps the images of a request. They replace those of an earlier request with the same id.
   *
   * @param pixels `[M, imageSize]`, 0..1
   * @param failed indices of the other images of the request
   */
  add(id: string, pixels: Float32Array, failed: Iterable<number> = []): void {
    this.#delete(id);
    if (pixels.length > MAX_BYTES) return;
    const bytes = Uint8Array.from(pixels, (value) => Math.round(255 * value));
    this.#entries.set(id, { pixels: bytes, failed: [...failed], at: this.#now() });
    this.#bytes += bytes.length;
    for (const [oldest, { at }] of this.#entries) {
      if (this.#bytes <= MAX_BYTES && this.#now() - at <= RECENT_MS) break;
      this.#delete(oldest);
    }
  }

  /**
   * One image of a request.
   *
   * @param index in the order of the request
   * @returns undefined if it is not known
   */
  get(id: string, index: number, imageSize: number): Uint8Array | undefined {
    const entry = this.#entries.get(id);
    if (!entry || this.#now() - entry.at > RECENT_MS || entry.failed.includes(index)) return undefined;
    const at = index - entry.failed.filter((failed) => failed < index).length;
    const pixels = entry.pixels.subarray(at * imageSize, (at + 1) * imageSize);
    return pixels.length === imageSize ? pixels : undefined;
  }

  #delete(id: string): void {
    this.#bytes -= this.#entries.get(id)?.pixels.length ?? 0;
    this.#entries.delete(id);
  }
}
