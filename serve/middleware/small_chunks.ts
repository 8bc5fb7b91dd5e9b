/**
 * Refuses bodies that arrive in chunks of a few bytes: each chunk takes 10 to 40 µs, so a megabyte of single bytes would
 * take up to half a minute of the processor.
 *
 * @module
 */
import { Problem } from "../problem.ts";

/** Chunks of any size that a body may have: programs write JSON token by token. */
const FREE_CHUNKS = 8192;
/** Mean size of the chunks of bodies that have more. */
const MIN_BYTES = 256;

/** Counts the chunks of one body. */
export class SmallChunks {
  #chunks = 0;
  #bytes = 0;

  /**
   * @param bytes size of the next chunk
   * @throws {Problem} 400 if the chunks are too many for their size
   */
  add(bytes: number): void {
    this.#bytes += bytes;
    if (++this.#chunks <= FREE_CHUNKS + this.#bytes / MIN_BYTES) return;
    const detail =
      `Cannot read the body as more than ${FREE_CHUNKS} chunks must have at least ${MIN_BYTES} bytes ` +
      "on average: send it in larger chunks, or with a content-length";
    throw new Problem(400, detail, { connection: "close" });
  }
}
