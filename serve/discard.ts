/**
 * Reads what is left of a body after its request was refused, on Deno. Deno does so too, so that the client receives the
 * response, but with a system call for each kB (as of 2.9.6): that takes 2.5 ms of the event loop for each MB, and one
 * client can keep a server busy with refusals. Pieces of 128 kB take 1 ms, larger and smaller ones more.
 *
 * @module
 */
import { byteReader } from "./middleware/body.ts";
import { ownTurn } from "./turn.ts";

/** Bytes that are read at a time. */
const PIECE_BYTES = 128 * 1024;
/** Bodies that are read at a time, as each needs a buffer; Deno reads the others. */
const MAX_BODIES = 64;

export interface DiscardLimits {
  /** Bytes that are read at most; Deno reads the rest. */
  maxBytes: number;
  /** Milliseconds after which reading stops. */
  timeoutMs: number;
}

const buffers: Uint8Array<ArrayBuffer>[] = [];
let active = 0;

/** Reads the rest of a request's body and throws it away. It does not throw. */
export async function discardBody({ body }: Request, { maxBytes, timeoutMs }: DiscardLimits): Promise<void> {
  if (!body || body.locked || active === MAX_BODIES) return;
  // Deno's stream of an empty body is none of bytes.
  const reader = byteReader(body);
  if (!reader) return;
  active++;
  const timer = setTimeout(() => void reader.cancel().catch(() => {}), timeoutMs);
  let buffer = buffers.pop() ?? new Uint8Array(PIECE_BYTES);
  try {
    for (let left = maxBytes; left > 0;) {
      await ownTurn();
      const { done, value } = await reader.read(buffer);
      if (!value) break;
      buffer = new Uint8Array(value.buffer);
      if (done) break;
      left -= value.length;
    }
    // A read that was cancelled keeps its buffer.
    if (buffer.length > 0) buffers.push(buffer);
  } catch {
    // The client is gone.
  } finally {
    active--;
    clearTimeout(timer);
    reader.cancel().catch(() => {});
  }
}
