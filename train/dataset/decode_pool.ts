/**
 * Decodes pictures on every core. Decoding is pure arithmetic on bytes, which one thread has no reason to
 * wait for while others are idle; a few pictures are done sooner than a worker starts, so those stay here.
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
  readonly #shape: InputShape;
  readonly #size: number;
  readonly #workers: Worker[] = [];
  readonly #idle: Worker[] = [];
  readonly #queue: Job[] = [];
  readonly #running = new Map<Worker, Job>();

  /** @param pictures how many there may be to decode */
  constructor(shape: InputShape, pictures: number) {
    this.#shape = shape;
    this.#size = Math.min(navigator.hardwareConcurrency, MAX_WORKERS, Math.floor(pictures / WORTH_A_WORKER));
  }

  /** How many calls keep every worker busy: one that it works on and one that waits. */
  get width(): number {
    return 2 * Math.max(1, this.#size);
  }

  /** Decodes and fits one picture. The bytes are given away. */
  async decode(bytes: Uint8Array<ArrayBuffer>): Promise<Outcome> {
    // With one worker, the main thread would only wait for it.
    if (this.#size < 2) return await readPicture(bytes, this.#shape);
    const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
    this.#queue.push({ bytes, resolve, reject });
    if (this.#idle.length === 0 && this.#workers.length < this.#size) this.#start();
    this.#next();
    return await promise;
  }

  /** Ends the workers; what they have not finished is rejected. */
  close(): void {
    for (const worker of this.#workers) worker.terminate();
    for (const { reject } of [...this.#queue, ...this.#running.values()]) {
      reject(new DOMException("Cannot decode as the workers were ended", "AbortError"));
    }
  }

  #start(): void {
    const worker = new Worker(new URL("./decode_worker.ts", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }: MessageEvent<Outcome>) => {
      this.#running.get(worker)!.resolve(data);
      this.#rest(worker);
    };
    worker.onerror = (event) => {
      // Otherwise it would end the program.
      event.preventDefault();
      this.#running.get(worker)?.reject(new Error(`Cannot decode as a worker failed: ${event.message}`));
      this.#running.delete(worker);
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
