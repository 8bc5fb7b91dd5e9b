/**
 * Reads requests where that disturbs others least. Small ones are read at once. Large ones take turns: in threads of
 * their own where there are some, and else one at a time on the event loop, with pauses in between.
 *
 * @module
 */
import { Turns } from "../admission/turns.ts";
import type { Config } from "../config.ts";
import { turn } from "../turn.ts";
import { estimateMicros } from "./cost.ts";
import { type Form, type Read, readTask, type Task } from "./task.ts";

/** Runs tasks in other threads. */
export interface TaskPool {
  /** Number of threads. */
  readonly size: number;
  /** Transfers the body. */
  run<F extends Form>(task: Task<F>): Promise<Read<F>>;
}

/** Requests that take less than this, in µs, are read at once: handing them over takes a part of that. */
const SMALL_MICROS = 1000;

/**
 * In ms: between two large requests on the event loop, small ones that have arrived meanwhile need a few turns of it,
 * for the head, the body and the model.
 */
const PAUSE_MS = 5;

export class RequestReader {
  readonly #pool: TaskPool | undefined;
  readonly #turns: Turns;

  constructor({ queueTimeoutMs }: Pick<Config, "queueTimeoutMs">, pool?: TaskPool) {
    this.#pool = pool;
    this.#turns = new Turns({ slots: pool?.size ?? 1, queueTimeoutMs, ...(!pool && { pause }) });
  }

  /** Estimated work that is queued or runs, in µs. */
  get queuedMicros(): number {
    return this.#turns.queuedMicros;
  }

  /** Whether a client may send more large requests. */
  hasRoom(client: string): boolean {
    return this.#turns.hasRoom(client);
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
    if (micros <= SMALL_MICROS) return await readTask(task, stay);
    return await this.#turns.run(client, micros, () => this.#pool?.run(task) ?? readTask(task, turn), isGone);
  }
}

async function stay(): Promise<void> {}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
}
