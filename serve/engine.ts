/**
 * The model of a server and the queue in front of it. Requests that arrive while the model is busy run together: a
 * batch of 16 images takes the time of ten single ones.
 *
 * No background task empties the queue. A request that waits takes the next batch, which is its own images and all
 * others that are pending, and hands out the results. So no work outlives the request that started it, which workerd
 * would cancel once that request is answered; and an idle server runs the first request at once, without a timer.
 *
 * @module
 */
import type { Classifier, Scores } from "../shared/inference/classifier.ts";
import type { Config } from "./config.ts";
import { Problem } from "./problem.ts";

/** Largest batch of several requests: more images do not get cheaper, they only delay the first ones. */
const GATHERED_IMAGES = 32;

/** After this many queue timeouts, an active request is considered lost: decoding and waiting take far less. */
const LOST_AFTER = 10;

/** In ms: a request that arrives this soon after a run may not be alone. */
const CLOSE = 1;

/** After no other request arrived during a wait, this many requests do not wait. */
const UNACCOMPANIED = 15;

export interface EngineOptions {
  /** Loads the model. It is called when the model is first needed, and again after a failure. */
  load: () => Promise<Classifier>;
  config: Pick<Config, "maxConcurrency" | "queueTimeoutMs">;
  /** Receives the reason if the model cannot be used. */
  report?: (error: unknown) => void;
  /** Receives the number of images of each run. */
  onRun?: (images: number) => void;
  /** The time in ms, on a clock that never goes back; `performance.now()` by default. */
  now?: () => number;
}

/** Scores, with the time spent in the queue and in the model; the latter is that of the whole batch. */
export interface Answer {
  scores: Scores;
  queueMs: number;
  inferMs: number;
}

interface Job {
  pixels: Float32Array;
  since: number;
  answer?: Answer;
  error?: unknown;
}

export class Engine {
  readonly #options: EngineOptions;
  readonly #queue: Job[] = [];
  #loading: Promise<Classifier> | undefined;
  #loaded: Classifier | undefined;
  #running: Promise<void> | undefined;
  /** When each active request was admitted. */
  readonly #active = new Set<{ since: number }>();
  /** When the last run ended. */
  #ended = -Infinity;
  /** How many more requests do not wait for others. */
  #unaccompanied = 0;

  readonly #now: () => number;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Number of active requests. */
  get active(): number {
    return this.#active.size;
  }

  /** The model, if it has been loaded. */
  get loaded(): Classifier | undefined {
    return this.#loaded;
  }

  /**
   * The model, loaded and checked. A failure is not remembered: the next call tries again.
   *
   * @throws {Problem} 503 if it cannot be used; the reason is reported
   */
  classifier(): Promise<Classifier> {
    return this.#loading ??= this.#load().catch((error) => {
      this.#loading = undefined;
      this.#options.report?.(error);
      throw new Problem(503, "The model cannot be loaded", RETRY, "model");
    });
  }

  async #load(): Promise<Classifier> {
    const classifier = await this.#options.load();
    await checkScores(classifier);
    return this.#loaded = classifier;
  }

  /** Whether requests can be answered: the model is loaded, and a real inference has given sound numbers. */
  async ready(): Promise<{ ready: boolean; reason?: string }> {
    try {
      await this.classifier();
      return { ready: true };
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      return { ready: false, reason: error.detail };
    }
  }

  /**
   * Processes one request, from the last byte of its body to its response, unless too many are active. Requests that
   * are still sending their body do not count, or slow clients could block all others.
   *
   * @throws {Problem} 503 if `maxConcurrency` requests are active
   */
  async admit<T>(work: () => Promise<T>): Promise<T> {
    const { maxConcurrency } = this.#options.config;
    if (this.#active.size >= maxConcurrency) this.#forgetLost();
    if (this.#active.size >= maxConcurrency) {
      throw busy(`${maxConcurrency} requests are active`, "concurrency");
    }
    const entry = { since: this.#now() };
    this.#active.add(entry);
    try {
      return await work();
    } finally {
      this.#active.delete(entry);
    }
  }

  /** workerd stops a request whose client disconnects, at any point and without running `finally`. */
  #forgetLost(): void {
    const oldest = this.#now() - LOST_AFTER * this.#options.config.queueTimeoutMs;
    for (const entry of this.#active) if (entry.since < oldest) this.#active.delete(entry);
  }

  /**
   * Classifies images, together with those of other requests.
   *
   * @param pixels `[N, imageSize]`, row-major, 0..1
   * @throws {RangeError} if the pixels are not a whole number of images, or none
   * @throws {Problem} 503 if the queue is full, the model is not free in time, or there is no model
   */
  async run(pixels: Float32Array): Promise<Answer> {
    const classifier = this.#loaded ?? await this.classifier();
    const { imageSize } = classifier;
    if (pixels.length === 0 || pixels.length % imageSize !== 0) {
      throw new RangeError(
        `Cannot classify as the pixels must be a positive multiple of ${imageSize}: ` +
          `current length is ${pixels.length}`,
      );
    }
    const { maxConcurrency } = this.#options.config;
    if (this.#queue.length >= maxConcurrency) {
      throw busy(`${maxConcurrency} requests are queued`, "queue_full");
    }
    const job: Job = { pixels, since: this.#now() };
    this.#queue.push(job);
    if (job.since - this.#ended < CLOSE) await this.#gather(job);
    while (!job.answer && !("error" in job)) {
      // The model runs one batch at a time.
      if (this.#running) await this.#running;
      else await (this.#running = this.#runNext(classifier));
    }
    if (job.answer) return job.answer;
    throw job.error;
  }

  /**
   * A run blocks the event loop, so other requests may be pending after it: one turn of the loop lets them arrive. It
   * takes 0.1 ms, which is wasted if a single client sends one request at a time.
   */
  async #gather(job: Job): Promise<void> {
    if (this.#unaccompanied-- > 0) return;
    await turn();
    const alone = this.#queue.length === 1 && this.#queue[0] === job && !this.#running;
    this.#unaccompanied = alone ? UNACCOMPANIED : 0;
  }

  /** Runs the next batch. It does not throw: each job gets its own error. */
  async #runNext(classifier: Classifier): Promise<void> {
    const start = this.#now();
    const jobs = this.#take(start, classifier.imageSize);
    try {
      if (jobs.length === 0) return;
      const pixels = join(jobs);
      const scores = await classifier.runScaled(pixels);
      this.#options.onRun?.(pixels.length / classifier.imageSize);
      const inferMs = this.#now() - start;
      const { logits, probabilities } = scores;
      const classes = classifier.description.labels.length;
      let at = 0;
      for (const job of jobs) {
        const end = at + job.pixels.length / classifier.imageSize * classes;
        job.answer = {
          scores: jobs.length === 1
            ? scores
            : { logits: logits.subarray(at, end), probabilities: probabilities.subarray(at, end) },
          queueMs: start - job.since,
          inferMs,
        };
        at = end;
      }
    } catch (error) {
      for (const job of jobs) job.error = error;
    } finally {
      this.#running = undefined;
      this.#ended = this.#now();
    }
  }

  /** Takes as many jobs as run well together, at least one, in order; jobs that waited too long fail. */
  #take(now: number, imageSize: number): Job[] {
    const { queueTimeoutMs } = this.#options.config;
    const jobs: Job[] = [];
    let images = 0, taken = 0;
    for (const job of this.#queue) {
      const count = job.pixels.length / imageSize;
      if (now - job.since > queueTimeoutMs) {
        job.error = busy(`the model was not available within ${queueTimeoutMs} ms`, "queue_timeout");
      } else if (images > 0 && images + count > GATHERED_IMAGES) {
        break;
      } else {
        jobs.push(job);
        images += count;
      }
      taken++;
    }
    this.#queue.splice(0, taken);
    return jobs;
  }
}

/** Seconds until a retry: the queue is short, so it empties quickly. */
const RETRY = { "retry-after": "1" };

function busy(why: string, reason: string): Problem {
  return new Problem(503, `The server is busy: ${why}`, RETRY, reason);
}

function join(jobs: Job[]): Float32Array {
  if (jobs.length === 1) return jobs[0]!.pixels;
  const whole = new Float32Array(jobs.reduce((sum, { pixels }) => sum + pixels.length, 0));
  let at = 0;
  for (const { pixels } of jobs) {
    whole.set(pixels, at);
    at += pixels.length;
  }
  return whole;
}

type Immediate = (callback: () => void) => void;
const { setImmediate } = globalThis as { setImmediate?: Immediate };
// workerd has no setImmediate, but its timers do not wait longer than their delay.
const later: Immediate = setImmediate ?? ((callback) => void setTimeout(callback, 0));

/** Waits for one turn of the event loop. */
function turn(): Promise<void> {
  return new Promise(later);
}

/**
 * Runs a black and a white image and checks the scores.
 *
 * @throws {TypeError} if there are too few or too many
 * @throws {RangeError} if one is not finite
 */
async function checkScores(classifier: Classifier): Promise<void> {
  const pixels = new Float32Array(2 * classifier.imageSize).fill(1, classifier.imageSize);
  const scores = await classifier.runScaled(pixels);
  const expected = 2 * classifier.description.labels.length;
  for (const name of ["logits", "probabilities"] as const) {
    if (scores[name]?.length !== expected) {
      throw new TypeError(
        `Cannot use the model as it must return ${expected} ${name} for two images: ` +
          `current number is ${scores[name]?.length ?? 0}`,
      );
    }
    const wrong = scores[name].find((score) => !Number.isFinite(score));
    if (wrong !== undefined) {
      throw new RangeError(`Cannot use the model as its ${name} must be finite: current value is ${wrong}`);
    }
  }
}
