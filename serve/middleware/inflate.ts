/**
 * Inflates compressed bodies. A small one can hide one of gigabytes, so it is inflated slice by slice, and its reader
 * stops at the limit.
 *
 * @module
 */
import { Problem } from "../problem.ts";
import { SmallChunks } from "./small_chunks.ts";

/** Codings of `Content-Encoding` (RFC 9110, section 8.4.1). */
const FORMATS = new Map<string, CompressionFormat>([
  ["gzip", "gzip"],
  ["x-gzip", "gzip"],
  ["deflate", "deflate"],
]);
/** Deflate grows at most 1032-fold, so one slice makes no more than 4 MB. */
const SLICE_BYTES = 4096;

/** Makes an {@linkcode Inflater}; undefined if the body is not compressed. */
export function inflaterFor(contentEncoding: string | null, limit: number): Inflater | undefined {
  const coding = contentEncoding?.trim().toLowerCase() ?? "";
  if (coding === "" || coding === "identity") return undefined;
  const format = FORMATS.get(coding);
  if (format) return new Inflater(format, limit);
  throw new Problem(
    415,
    `Cannot read the body as its content-encoding must be gzip, deflate or identity: current value is ${
      JSON.stringify(coding.slice(0, 40))
    }`,
    // RFC 9110, section 12.5.3.
    { "accept-encoding": "gzip, deflate, identity" },
  );
}

/** Inflates one body. */
export class Inflater {
  /**
   * Why the body cannot be inflated; undefined if the connection was interrupted. It is kept here, as not every runtime
   * passes errors on through a `DecompressionStream`.
   */
  problem: Problem | undefined;
  readonly #format: CompressionFormat;
  readonly #limit: number;

  /** @param limit bytes of the compressed body */
  constructor(format: CompressionFormat, limit: number) {
    this.#format = format;
    this.#limit = limit;
    this.problem = new Problem(400, `Cannot read the body as it must be intact ${format} data`);
  }

  inflate(body: ReadableStream<Uint8Array<ArrayBuffer>>): ReadableStream<Uint8Array<ArrayBuffer>> {
    const reader = body.getReader();
    const chunks = new SmallChunks();
    let chunk = new Uint8Array(), at = 0, size = 0;
    const slices = new ReadableStream<Uint8Array<ArrayBuffer>>({
      pull: async (controller): Promise<void> => {
        while (at >= chunk.length) {
          const { done, value } = await this.#read(reader);
          if (done) return controller.close();
          [chunk, at] = [value, 0];
          size += chunk.length;
          if (size > this.#limit) throw this.problem = tooLarge(this.#limit);
          this.#count(chunks, chunk.length);
        }
        controller.enqueue(chunk.subarray(at, at += SLICE_BYTES));
      },
      cancel: (reason) => reader.cancel(reason),
    });
    return slices.pipeThrough(new DecompressionStream(this.#format));
  }

  #count(chunks: SmallChunks, bytes: number): void {
    try {
      chunks.add(bytes);
    } catch (error) {
      throw this.problem = error as Problem;
    }
  }

  async #read<T>(reader: ReadableStreamDefaultReader<T>): Promise<ReadableStreamReadResult<T>> {
    try {
      return await reader.read();
    } catch (error) {
      this.problem = undefined;
      throw error;
    }
  }
}

/** The body has more bytes than allowed. */
export function tooLarge(limit: number): Problem {
  return new Problem(413, `Cannot read the body as it must have at most ${limit} bytes`);
}
