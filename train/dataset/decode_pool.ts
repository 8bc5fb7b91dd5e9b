/**
 * Decodes pictures on every core. Decoding is CPU-bound, so it runs on all cores; a few pictures take less time than
 * starting a worker, so those are decoded on the main thread.
 *
 * @module
 */
import { type InputShape, type Outcome, readPicture } from "./picture.ts";

/** A worker takes about as long to start as this many photos take to decode. */
const WORTH_A_WORKER = 16;
/** Each holds a decoder and a picture in memory. */
const MAX_WORKERS = 8;

interface Job {
  bytes: Uint8Array<ArrayBuffer>;
  resolve: (outcome: Outcome) => void;
  reject: (error: Error) => void;
}

/** Some workers that share one queue. */
export class DecodePool {
  readonly #script: URL;
  readonly #shape: InputShape;
  readonly #size: number;
  readonly #workers: Worker[] = [];
  readonly #idle: Worker[] = [];
  readonly #queue: Job[] = [];
  readonly #running = new Map<Worker, Job>();
  #failure: Error | undefined;

  /**
   * @param pictures how many there may be to decode
   * @param script the program of a worker
   */
  constructor(
    shape: InputShape,
    pictures: number,
    script: URL = new URL("./decode_worker.ts", import.meta.url),
  ) {
    this.#script = script;
    this.#shape = shape;
    this.#size = Math.min(navigator.hardwareConcurrency, MAX_WORKERS, Math.floor(pictures / WORTH_A_WORKER));
  }

  /** How many calls keep every worker busy: one that it works on and one that waits. */
  get width(): number {
    return 2 * Math.max(1, this.#size);
  }

  /** Decodes and fits one picture. The bytes are transferred. */
  async decode(bytes: Uint8Array<ArrayBuffer>): Promise<Outcome> {
    if (this.#failure) throw this.#failure;
    // With one worker, the main thread would only wait for it.
    if (this.#size < 2) return await readPicture(bytes, this.#shape);
    const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
    this.#queue.push({ bytes, resolve, reject });
    if (this.#idle.length === 0 && this.#workers.length < this.#size) this.#start();
    this.#next();
    return await promise;
  }

  /** Ends the workers; pictures that they have not finished are rejected. */
  close(): void {
    this.#fail(new DOMException("Cannot decode as the workers were ended", "AbortError"));
  }

  /** Ends all workers: one that has failed would keep its pictures, and those that wait for it, forever. */
  #fail(reason: Error): void {
    this.#failure ??= reason;
    for (const worker of this.#workers) worker.terminate();
    for (const { reject } of [...this.#queue, ...this.#running.values()]) reject(reason);
    this.#queue.length = 0;
    this.#idle.length = 0;
    this.#running.clear();
  }

  #start(): void {
    const worker = new Worker(this.#script, { type: "module" });
    worker.onmessage = ({ data }: MessageEvent<Outcome>) => {
      this.#running.get(worker)!.resolve(data);
      this.#rest(worker);
    };
    worker.onerror = (event) => {
      // Otherwise it would end the program.
      event.preventDefault();
      this.#fail(new Error(`Cannot decode as a worker failed: ${event.message}`));
    };
    this.#workers.push(worker);
    this.#idle.push(worker);
  }

  #rest(worker: Worker): void {
    this.#running.delete(worker);
    this.#idle.push(worker);
    this.#next();
  }

  #next(): void {
    while (this.#idle.length > 0 && this.#queue.length > 0) {
      const worker = this.#idle.pop()!, job = this.#queue.shift()!;
      this.#running.set(worker, job);
      worker.postMessage({ bytes: job.bytes, shape: this.#shape }, [job.bytes.buffer]);
    }
  }
}
