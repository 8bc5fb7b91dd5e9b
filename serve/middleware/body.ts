/**
 * Reads a body within limits of size, time and memory. It is a function and not a middleware like `hono/body-limit`, as
 * it returns the bytes that it has counted instead of building a second request around them.
 *
 * Memory follows what has arrived, not what is declared: a client that announces 8 MB and sends one byte takes a few
 * kB.
 *
 * @module
 */
import { busy } from "../admission/admission.ts";
import type { Quota } from "../admission/quota.ts";
import type { Config } from "../config.ts";
import { Problem } from "../problem.ts";
import { release } from "../../shared/release.ts";
import { inflaterFor, tooLarge } from "./inflate.ts";
import { ownTurn } from "../turn.ts";
import { SmallChunks } from "./small_chunks.ts";

/** Bodies up to this size need little work. */
export const SMALL_BYTES = 64 * 1024;
/** The first buffer. Bodies that fit into it need no share of the memory for bodies. */
const FIRST_BYTES = 4 * 1024;
/** `Request.bytes()` took two in Deno 2.9.6. */
const MICROTASKS = 4;
/** Bytes that are read at a time. */
const PIECE_BYTES = 256 * 1024;

/** Whose body it is, and the memory for the bodies of all. */
export interface BodyMemory {
  bodies: Quota;
  client: string;
  /** Bytes that each byte of the body takes while it is processed, 1 by default. */
  bytesPerByte?: number;
  work?: ExpectedWork;
}

/** The work that a large body will make. */
export interface ExpectedWork {
  /** Whether the client may make more. */
  hasRoom(): boolean;
  /** Counts it while the body arrives; undefined if the client may not make more. */
  expect(): Disposable | undefined;
}

/** A body; disposing of it gives back its share of the memory. */
export interface Body extends Disposable {
  bytes: Uint8Array<ArrayBuffer>;
}

/**
 * Reads the whole body, inflated if it is compressed.
 *
 * @throws {Problem} 413 as soon as there are too many bytes, compressed or inflated, 408 if they take too long, 400 if
 * the connection is interrupted, they cannot be inflated or arrive in too many small chunks, 415 if they are compressed
 * in another way than with gzip or deflate, 503 if there is no memory left for them
 */
export async function readBody(
  request: Request,
  { maxBodyBytes: limit, bodyTimeoutMs }: Pick<Config, "maxBodyBytes" | "bodyTimeoutMs">,
  memory: BodyMemory,
): Promise<Body> {
  const inflater = inflaterFor(request.headers.get("content-encoding"), limit);
  const declared = declaredLength(request.headers.get("content-length"));
  if (declared !== undefined && declared > limit) throw tooLarge(limit);
  if (declared !== undefined && declared > FIRST_BYTES) checkRoom(memory, declared);
  const collector = new Collector(limit, inflater ? undefined : declared, memory);
  try {
    // Small bodies arrive in one piece mostly, and then a stream would take half of the time of a request.
    const reading = !inflater && declared !== undefined && declared <= FIRST_BYTES
      ? request.bytes()
      : inflater && request.body
      ? collector.read(inflater.inflate(request.body))
      : collector.read(request.body, new SmallChunks());
    const bytes = await within(bodyTimeoutMs, reading as Promise<Uint8Array<ArrayBuffer>>);
    collector.endExpecting();
    return { bytes, [Symbol.dispose]: () => collector.release() };
  } catch (error) {
    collector.release();
    if (error instanceof Problem) throw error;
    throw inflater?.problem ??
      new Problem(400, "Cannot read the body as the connection was interrupted", {}, "interrupted");
  }
}

/** Undefined if the header is absent, or is a list, such as that of a repeated header (RFC 9110, section 8.6). */
function declaredLength(header: string | null): number | undefined {
  return header !== null && /^\d+$/.test(header) ? Number(header) : undefined;
}

/** @throws {Problem} 503 */
function checkRoom({ bodies, client, bytesPerByte = 1, work }: BodyMemory, bytes: number): void {
  if (bytes > SMALL_BYTES && work?.hasRoom() === false) throw tooMuchWork();
  if (!bodies.hasRoom(client, bytesPerByte * bytes)) {
    throw busy(`${bodies.total} bytes of requests are in memory`, "bodies");
  }
}

function tooMuchWork(): Problem {
  return busy("too much work of this client is queued", "queue_full");
}

/** After a timeout the client has to close the connection (RFC 9110, section 15.5.9), as Deno does not. */
async function within<T>(ms: number, reading: Promise<T>): Promise<T> {
  if (await isSettled(reading)) return await reading;
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

/**
 * Whether a promise is settled after some microtasks, as `Request.bytes()` is on Deno for a body that has come with its
 * head: then no timer is needed, which takes 4 % of the time of a request.
 */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const settle = (): void => void (settled = true);
  promise.then(settle, settle);
  for (let i = 0; i < MICROTASKS && !settled; i++) await undefined;
  return settled;
}

/** A reader that fills buffers; undefined if the stream has chunks of its own. */
export function byteReader(body: ReadableStream | null): ReadableStreamBYOBReader | undefined {
  try {
    return body?.getReader({ mode: "byob" });
  } catch {
    return undefined;
  }
}

/** Puts chunks together in a buffer that grows with them: each chunk by itself could be a single byte. */
class Collector {
  readonly #limit: number;
  readonly #declared: number | undefined;
  readonly #memory: BodyMemory;
  /** Empty until a chunk arrives, as most bodies are read at once. */
  #buffer = new Uint8Array();
  #size = 0;
  #work: Disposable | undefined;
  /** Bytes taken from the memory for bodies. */
  #reserved = 0;
  #isReleased = false;

  constructor(limit: number, declared: number | undefined, memory: BodyMemory) {
    this.#limit = limit;
    this.#declared = declared;
    this.#memory = memory;
  }

  /** @param chunks of a body that is not inflated */
  async read(
    body: ReadableStream<Uint8Array<ArrayBuffer>> | null,
    chunks?: SmallChunks,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const reader = this.#declared === undefined ? undefined : byteReader(body);
    if (reader) return await this.#readPieces(reader, this.#declared!);
    // An exception in the loop cancels the stream.
    for await (const chunk of body ?? []) {
      // The body is late, or the client is gone.
      if (this.#isReleased) break;
      chunks?.add(chunk.length);
      this.#add(chunk);
    }
    return this.#buffer.subarray(0, this.#size);
  }

  /**
   * The same for a body of a declared length, in pieces that grow: workerd's chunks have 4 kB, and each takes a turn of
   * the event loop.
   */
  async #readPieces(reader: ReadableStreamBYOBReader, length: number): Promise<Uint8Array<ArrayBuffer>> {
    try {
      while (this.#size < length && !this.#isReleased) {
        if (this.#size === this.#buffer.length) this.#makeRoom(this.#size + 1);
        const view = this.#buffer.subarray(this.#size, this.#size + PIECE_BYTES);
        await ownTurn();
        const { done, value } = await reader.read(view, { min: view.length });
        if (!value) break;
        // The buffer has moved.
        this.#buffer = new Uint8Array(value.buffer);
        this.#size += value.length;
        if (done) break;
      }
    } finally {
      reader.releaseLock();
      // It came back after it was given up.
      if (this.#isReleased) release(this.#buffer);
    }
    return this.#buffer.subarray(0, this.#size);
  }

  /** The body is there: what it makes is no longer expected but known. */
  endExpecting(): void {
    this.#work?.[Symbol.dispose]();
    this.#work = undefined;
  }

  /** Gives back the memory. */
  release(): void {
    this.#isReleased = true;
    this.endExpecting();
    release(this.#buffer);
    this.#giveBack();
  }

  #add(chunk: Uint8Array<ArrayBuffer>): void {
    const size = this.#size + chunk.length;
    if (size > this.#limit) throw tooLarge(this.#limit);
    this.#makeRoom(size);
    this.#buffer.set(chunk, this.#size);
    this.#size = size;
  }

  #makeRoom(size: number): void {
    if (size > this.#buffer.length) this.#grow(size);
  }

  #expect(): Disposable | undefined {
    const { work } = this.#memory;
    const expected = work?.expect();
    if (work && !expected) throw tooMuchWork();
    return expected;
  }

  /** Takes the memory for so many bytes of the body. */
  #reserve(capacity: number): void {
    const { bodies, client, bytesPerByte = 1 } = this.#memory;
    this.#giveBack();
    if (!bodies.take(client, bytesPerByte * capacity)) {
      throw busy(`${bodies.total} bytes of other requests are in memory`, "bodies");
    }
    this.#reserved = bytesPerByte * capacity;
  }

  #giveBack(): void {
    if (this.#reserved > 0) this.#memory.bodies.give(this.#memory.client, this.#reserved);
    this.#reserved = 0;
  }

  #grow(size: number): void {
    const most = this.#declared ?? this.#limit;
    // The declared length is trusted once more than the beginning has come.
    const capacity = size > FIRST_BYTES && this.#declared
      ? most
      : Math.min(most, Math.max(size, FIRST_BYTES, 2 * this.#buffer.length));
    if (capacity > SMALL_BYTES) this.#work ??= this.#expect();
    if (capacity > FIRST_BYTES) this.#reserve(capacity);
    const grown = new Uint8Array(capacity);
    grown.set(this.#buffer.subarray(0, this.#size));
    release(this.#buffer);
    this.#buffer = grown;
  }
}
