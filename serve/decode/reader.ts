/**
 * Reads requests where that disturbs others least. Small ones are read at once. Large ones take turns: in threads of
 * their own where there are some, and else one at a time on the event loop, after some turns of it.
 *
 * @module
 */
import { Averages } from "../admission/averages.ts";
import { Turns } from "../admission/turns.ts";
import type { Config } from "../config.ts";
import { turn } from "../turn.ts";
import { SMALL_BYTES } from "../middleware/body.ts";
import { MEDIA_TYPES, mediaTypeOf } from "./classify.ts";
import { estimateMicros } from "./cost.ts";
import { type Form, type Read, readTask, type Task } from "./task.ts";

/** Runs tasks in other threads. */
export interface TaskPool {
  /** Number of threads. */
  readonly size: number;
  /** Resolves when one of them can take a task, to false if none can be started. */
  ready(): Promise<boolean>;
  /** Transfers the body. */
  run<F extends Form>(task: Task<F>): Promise<Read<F>>;
}

/** Requests that take less than this, in µs, are read at once: handing them over takes a part of that. */
const SMALL_MICROS = 1000;

/**
 * Turns of the event loop before each large request on it, in which small ones that have arrived are answered. They need
 * some: for the connection, the head, the body and the model.
 */
const REST_TURNS = 5;

export class RequestReader {
  readonly #queueTimeoutMs: number;
  #pool: TaskPool | undefined;
  #turns: Turns;
  /** What large requests of a media type take, in µs. */
  readonly #averages = new Averages();

  constructor({ queueTimeoutMs }: Pick<Config, "queueTimeoutMs">, pool?: TaskPool) {
    this.#queueTimeoutMs = queueTimeoutMs;
    this.#pool = pool;
    this.#turns = turnsOf(queueTimeoutMs, pool);
  }

  /** Estimated work that is queued or runs, in µs. */
  get queuedMicros(): number {
    return this.#turns.queuedMicros;
  }

  /** Whether a client may send another large request; what it takes is not known before its body is there. */
  hasRoom(client: string, contentType: string): boolean {
    return this.#turns.hasRoom(client, this.#averages.of(mediaTypeOf(contentType)));
  }

  /** Counts a large request whose body arrives like an average one, until the result is disposed of. */
  expect(client: string, contentType: string): Disposable | undefined {
    return this.#turns.expect(client, this.#averages.of(mediaTypeOf(contentType)));
  }

  /**
   * Reads a request. Its body may be transferred.
   *
   * @param isGone whether the client has disconnected
   * @throws {InputError} if the request is wrong
   * @throws {Problem} 503 if too much work is queued
   */
  async read<F extends Form>(task: Task<F>, client: string, isGone?: () => boolean): Promise<Read<F>> {
    const micros = estimateMicros(task);
    if (isLarge(task)) this.#averages.add(mediaTypeOf(task.contentType), micros);
    if (micros <= SMALL_MICROS) return await readTask(task, stay);
    // The first thread takes a second to start on a slow machine, in which no request is refused for waiting.
    if (this.#pool && !await this.#pool.ready()) this.#goWithout();
    const pool = this.#pool;
    return await this.#turns.run(client, micros, () => pool?.run(task) ?? readTask(task, turn), isGone);
  }

  /** From now on as where there are no threads; the pool has reported why it cannot start them. */
  #goWithout(): void {
    // Another request may have waited for the same threads.
    if (!this.#pool) return;
    this.#pool = undefined;
    this.#turns = turnsOf(this.#queueTimeoutMs);
  }
}

function turnsOf(queueTimeoutMs: number, pool?: TaskPool): Turns {
  return new Turns({ slots: pool?.size ?? 1, queueTimeoutMs, ...(!pool && { rest }) });
}

/** Whether it is one of those that are expected while their bodies arrive. */
export function isLarge({ body, contentType }: Pick<Task, "body" | "contentType">): boolean {
  return body.length > SMALL_BYTES && MEDIA_TYPES.includes(mediaTypeOf(contentType));
}

async function stay(): Promise<void> {}

async function rest(): Promise<void> {
  for (let turns = 0; turns < REST_TURNS; turns++) await turn();
}
