/**
 * Threads that read requests, on Deno. They start when they are first needed, as most servers get few pictures and each
 * thread takes time and memory.
 *
 * @module
 */
import { InputError, type InputErrorCode } from "../../shared/errors.ts";
import type { TaskPool } from "./reader.ts";
import type { Form, Read, Task } from "./task.ts";

/** With three, the process takes more than 400 MB under `deno task bench attack`. `--workers N` uses more cores. */
const MAX_THREADS = 2;

/** An error as it passes between threads, which lose the class and its fields. */
export interface WireError {
  code: InputErrorCode;
  message: string;
  hint?: string;
}

/** What a thread answers; a form's failures are an array, as errors are plain data here. */
export type Reply =
  | { started: true }
  | { result: Record<string, unknown>; failures?: [number, WireError][] }
  | { input: WireError }
  | { bug: string };

export function toWire({ code, message, hint }: InputError): WireError {
  return { code, message, ...(hint !== undefined && { hint }) };
}

function fromWire({ code, message, hint }: WireError): InputError {
  return new InputError(code, message, hint === undefined ? {} : { hint });
}

interface Job {
  task: Task;
  resolve: (result: unknown) => void;
  reject: (error: unknown) => void;
}

/** A thread, and what it is at. */
interface Thread {
  worker: Worker;
  isStarted: boolean;
  job?: Job | undefined;
}

export class DecodePool implements TaskPool {
  readonly size: number;
  readonly #report: (error: unknown) => void;
  readonly #threads = new Set<Thread>();
  readonly #waiting: Job[] = [];
  /** Whether the first thread has started. */
  readonly #started = Promise.withResolvers<boolean>();
  /** Threads that can be started; fewer than `size` after one has failed to. */
  #most: number;

  /**
   * @param report receives the reason if a thread fails
   * @param servers among which the cores are divided; each leaves one to its event loop
   */
  constructor(report: (error: unknown) => void, servers = 1) {
    this.#report = report;
    const cores = Math.floor(navigator.hardwareConcurrency / servers);
    this.size = this.#most = Math.max(1, Math.min(MAX_THREADS, cores - 1));
  }

  async ready(): Promise<boolean> {
    if (this.#threads.size === 0 && this.#most > 0) this.#start();
    return await this.#started.promise && this.#most > 0;
  }

  run<F extends Form>(task: Task<F>): Promise<Read<F>> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#waiting.push({ task, resolve, reject });
    if (![...this.#threads].some(isIdle) && this.#threads.size < this.#most) this.#start();
    this.#next();
    return promise as Promise<Read<F>>;
  }

  /** Ends the threads; requests that they read get no answer. */
  close(): void {
    for (const { worker } of this.#threads) worker.terminate();
    this.#threads.clear();
  }

  #start(): void {
    const worker = new Worker(new URL("./pool_worker.ts", import.meta.url), { type: "module" });
    const thread: Thread = { worker, isStarted: false };
    this.#threads.add(thread);
    worker.onmessage = ({ data }: MessageEvent<Reply>): void => {
      if ("started" in data) {
        thread.isStarted = true;
        this.#started.resolve(true);
      } else settle(thread.job!, data);
      thread.job = undefined;
      this.#next();
    };
    worker.onerror = (event): void => {
      // Otherwise it would end the server.
      event.preventDefault();
      worker.terminate();
      this.#threads.delete(thread);
      if (!thread.isStarted) this.#most = this.#threads.size;
      const what = thread.isStarted ? "has ended" : "cannot be started";
      this.#report(new Error(`A thread that reads requests ${what}: ${event.message}`));
      thread.job?.reject(new Error("The thread that read the request has ended"));
      this.#started.resolve(false);
      if (this.#most === 0) {
        for (const { reject } of this.#waiting.splice(0)) {
          reject(new Error("The thread that reads the request cannot be started"));
        }
      } else if (this.#waiting.length > 0 && this.#threads.size < this.#most) this.#start();
    };
  }

  /** Gives each idle thread a request. */
  #next(): void {
    for (const thread of this.#threads) {
      if (this.#waiting.length === 0) return;
      if (!thread.isStarted || thread.job) continue;
      thread.job = this.#waiting.shift()!;
      const { task } = thread.job;
      thread.worker.postMessage(task, [task.body.buffer]);
    }
  }
}

function isIdle({ job }: Thread): boolean {
  return job === undefined;
}

function settle({ resolve, reject }: Job, reply: Exclude<Reply, { started: true }>): void {
  if ("input" in reply) reject(fromWire(reply.input));
  else if ("bug" in reply) reject(new Error(reply.bug));
  else {
    const { result, failures } = reply;
    resolve(
      failures
        ? { ...result, failures: new Map(failures.map(([n, error]) => [n, fromWire(error)])) }
        : result,
    );
  }
}
