/**
 * The one model of a server and the queue before it. Requests that come while others are at work are run
 * together: a batch of 16 images takes the time of ten single ones.
 *
 * There is no worker behind the queue. Whoever waits takes the next batch, their own images and all that
 * have gathered, and hands out the answers. So nothing runs on behalf of nobody, which workerd would cancel
 * once the request that started it is answered; and an idle server runs the first request at once, with no
 * timer.
 *
 * @module
 */
import type { Classifier, Scores } from "../shared/inference/classifier.ts";
import type { Config } from "./config.ts";
import { Problem } from "./problem.ts";

/** Images that are run together: more do not get cheaper, they only let the first ones wait. */
const GATHERED_IMAGES = 32;

/** How often the longest wait a request may be at work: what decodes and waits is done long before. */
const LOST_AFTER = 10;

/** In ms: who comes this soon after a run may not be alone. */
const CLOSE = 1;

/** After a wait in which nobody came, so many do without. */
const UNACCOMPANIED = 15;

export interface EngineOptions {
  /** Loads the model. It is called when the model is first needed, and again after a failure. */
  load: () => Promise<Classifier>;
  config: Pick<Config, "maxConcurrency" | "queueTimeoutMs">;
  /** Is told why a model cannot be used. */
  report?: (error: unknown) => void;
  /** Is told the number of images of each run. */
  onRun?: (images: number) => void;
}

/** An answer, and how long it took: waiting, and in the model together with whatever ran in the same batch. */
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
  /** When each request at work was let in. */
  readonly #active = new Set<{ since: number }>();
  /** When the last run ended. */
  #ended = -Infinity;
  /** How many more do not wait for company. */
  #unaccompanied = 0;

  constructor(options: EngineOptions) {
    this.#options = options;
  }

  /** The requests that are at work. */
  get active(): number {
    return this.#active.size;
  }

  /** The model, if it has been loaded. */
  get loaded(): Classifier | undefined {
    return this.#loaded;
  }

  /**
   * The model, loaded and tried out. A failure is not kept: the next call tries again.
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
    await tryOut(classifier);
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
   * Does the work of one request, from its body's last byte to its answer, if there is room for it. Requests
   * of which the body is still on its way do not count, or slow clients could shut out all others.
   *
   * @throws {Problem} 503 if `maxConcurrency` requests are at work already
   */
  async admit<T>(work: () => Promise<T>): Promise<T> {
    const { maxConcurrency } = this.#options.config;
    if (this.#active.size >= maxConcurrency) this.#forgetLost();
    if (this.#active.size >= maxConcurrency) {
      throw busy(`${maxConcurrency} requests are at work`, "concurrency");
    }
    const entry = { since: performance.now() };
    this.#active.add(entry);
    try {
      return await work();
    } finally {
      this.#active.delete(entry);
    }
  }

  /** workerd abandons a request whose client hangs up wherever it stands, and runs no `finally`. */
  #forgetLost(): void {
    const oldest = performance.now() - LOST_AFTER * this.#options.config.queueTimeoutMs;
    for (const entry of this.#active) if (entry.since < oldest) this.#active.delete(entry);
  }

  /**
   * Classifies images, together with those of other requests.
   *
   * @param pixels `[N, imageSize]`, row-major, 0..1
   * @throws {RangeError} if the pixels are not a whole number of images, or none
   * @throws {Problem} 503 if the queue is full, its turn does not come in time, or there is no model
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
    if (this.#queue.length >= maxConcurrency) throw busy(`${maxConcurrency} requests wait`, "queue_full");
    const job: Job = { pixels, since: performance.now() };
    this.#queue.push(job);
    if (job.since - this.#ended < CLOSE) await this.#company(job);
    while (!job.answer && !("error" in job)) {
      // The model does one thing at a time.
      if (this.#running) await this.#running;
      else await (this.#running = this.#runNext(classifier));
    }
    if (job.answer) return job.answer;
    throw job.error;
  }

  /**
   * A run keeps the event loop busy, so after it others may stand before the door: one turn lets them in. That
   * takes a tenth of a millisecond, which is in vain for the one request at a time of a single client.
   */
  async #company(job: Job): Promise<void> {
    if (this.#unaccompanied-- > 0) return;
    await turn();
    const alone = this.#queue.length === 1 && this.#queue[0] === job && !this.#running;
    this.#unaccompanied = alone ? UNACCOMPANIED : 0;
  }

  /** Runs the next batch. It does not throw: each job has its own error. */
  async #runNext(classifier: Classifier): Promise<void> {
    const start = performance.now();
    const jobs = this.#take(start, classifier.imageSize);
    try {
      if (jobs.length === 0) return;
      const pixels = join(jobs);
      const scores = await classifier.runScaled(pixels);
      this.#options.onRun?.(pixels.length / classifier.imageSize);
      const inferMs = performance.now() - start;
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
      this.#ended = performance.now();
    }
  }

  /** Takes as many jobs as run well together, one at least, in their order; late ones are turned away. */
  #take(now: number, imageSize: number): Job[] {
    const { queueTimeoutMs } = this.#options.config;
    const jobs: Job[] = [];
    let images = 0, taken = 0;
    for (const job of this.#queue) {
      const count = job.pixels.length / imageSize;
      if (now - job.since > queueTimeoutMs) {
        job.error = busy(`the turn did not come within ${queueTimeoutMs} ms`, "queue_time");
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

/** Seconds after which to ask again: loads of this size pass quickly. */
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
// workerd has no setImmediate, and its timers do not wait for longer than they are told.
const later: Immediate = setImmediate ?? ((callback) => void setTimeout(callback, 0));

/** Lets the event loop go round once. */
function turn(): Promise<void> {
  return new Promise(later);
}

/**
 * Runs a black and a white image and checks that the scores are sound.
 *
 * @throws {TypeError} if there are too few or too many
 * @throws {RangeError} if one is not finite
 */
async function tryOut(classifier: Classifier): Promise<void> {
  const pixels = new Float32Array(2 * classifier.imageSize).fill(1, classifier.imageSize);
  const scores = await classifier.runScaled(pixels);
  const expected = 2 * classifier.description.labels.length;
  for (const name of ["logits", "probabilities"] as const) {
    if (scores[name]?.length !== expected) {
      throw new TypeError(
        `Cannot use the model as it must give ${expected} ${name} for two images: ` +
          `current number is ${scores[name]?.length ?? 0}`,
      );
    }
    const wrong = scores[name].find((score) => !Number.isFinite(score));
    if (wrong !== undefined) {
      throw new RangeError(`Cannot use the model as its ${name} must be finite: current value is ${wrong}`);
    }
  }
}
