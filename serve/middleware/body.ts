/**
 * Reads a body within limits of size and time. It is a function and not a middleware like `hono/body-limit`, as it
 * returns the bytes that it has counted instead of building a second request around them.
 *
 * @module
 */
import type { Config } from "../config.ts";
import { Problem } from "../problem.ts";

/**
 * Reads the whole body.
 *
 * @throws {Problem} 413 as soon as there are too many bytes, 408 if they take too long, 400 if the connection is
 * interrupted, 415 if the body is compressed
 */
export async function readBody(
  request: Request,
  { maxBodyBytes: limit, bodyTimeoutMs }: Pick<Config, "maxBodyBytes" | "bodyTimeoutMs">,
): Promise<Uint8Array<ArrayBuffer>> {
  const encoding = request.headers.get("content-encoding");
  if (encoding !== null && encoding.toLowerCase() !== "identity") {
    // A small compressed body can hide a large one.
    throw new Problem(415, "Cannot read the body as it must not be compressed", {
      "accept-encoding": "identity",
    });
  }
  const length = request.headers.get("content-length");
  if (length !== null && Number(length) > limit) throw tooLarge(limit);
  try {
    // The HTTP server enforces the declared length.
    const reading = length !== null ? request.bytes() : readChunks(request.body, limit);
    return await within(bodyTimeoutMs, reading as Promise<Uint8Array<ArrayBuffer>>);
  } catch (error) {
    if (error instanceof Problem) throw error;
    throw new Problem(400, "Cannot read the body as the connection was interrupted");
  }
}

/** After a timeout the client has to close the connection (RFC 9110, section 15.5.9), as Deno does not. */
async function within<T>(ms: number, reading: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const detail = `Cannot read the body as it must arrive within ${ms} ms`;
    timer = setTimeout(() => reject(new Problem(408, detail, { connection: "close" })), ms);
  });
  try {
    return await Promise.race([reading, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function readChunks(
  body: ReadableStream<Uint8Array<ArrayBuffer>> | null,
  limit: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  // An exception in the loop cancels the stream.
  for await (const chunk of body ?? []) {
    size += chunk.length;
    if (size > limit) throw tooLarge(limit);
    chunks.push(chunk);
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

function tooLarge(limit: number): Problem {
  return new Problem(413, `Cannot read the body as it must have at most ${limit} bytes`);
}
