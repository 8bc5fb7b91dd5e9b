/**
 * Reads a body of bounded size. It is a function rather than a middleware like `hono/body-limit`, since it
 * hands over the bytes that it has counted instead of building a second request around them.
 *
 * @module
 */
import { Problem } from "./problem.ts";

/**
 * Reads the whole body.
 *
 * @param limit bytes
 * @throws {Problem} 413 if there are more bytes, as soon as that is known; 400 if the connection breaks; 415
 * if the body is compressed
 */
export async function readBody(request: Request, limit: number): Promise<Uint8Array<ArrayBuffer>> {
  const encoding = request.headers.get("content-encoding");
  if (encoding !== null && encoding.toLowerCase() !== "identity") {
    // Otherwise a small body could hide a large one.
    throw new Problem(415, "Cannot read the body as it must not be compressed", {
      "accept-encoding": "identity",
    });
  }
  const length = request.headers.get("content-length");
  if (length !== null && Number(length) > limit) throw tooLarge(limit);
  try {
    // The server holds the client to the length that it declared.
    if (length !== null) return new Uint8Array(await request.arrayBuffer());
    return await readChunks(request.body, limit);
  } catch (error) {
    if (error instanceof Problem) throw error;
    throw new Problem(400, "Cannot read the body as the connection broke");
  }
}

async function readChunks(
  body: ReadableStream<Uint8Array<ArrayBuffer>> | null,
  limit: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  // Leaving the loop cancels the stream.
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
