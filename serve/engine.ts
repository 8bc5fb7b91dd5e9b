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
import { busy, gone, QUEUED_TIMEOUTS } from "./admission/admission.ts";
import { FairQueue } from "./admission/fair_queue.ts";
import { Quota } from "./admission/quota.ts";
import type { Config } from "./config.ts";
import { Problem } from "./problem.ts";
import { release } from "../shared/release.ts";
import { turn } from "./turn.ts";

/** Largest batch: more images do not get cheaper, they only delay other requests. */
const BATCH_IMAGES = 32;

/**
 * Images of a large request in a batch, which they have for themselves: a small request waits for a few batches, and
 * more images would be only a few percent cheaper.
 */
const PART_IMAGES = 8;

/** Numbers in a batch of more than one image: models of larger images take longer for each. */
const BATCH_NUMBERS = 32 * 28 * 28;

/** After no other request arrived during a wait, this many requests do not wait. */
const UNACCOMPANIED = 15;

/** The time of an image is averaged over about this many runs. */
const AVERAGED_RUNS = 64;

export interface EngineOptions {
  /** Loads the model. It is called when the model is first needed, and again after a failure. */
  load: () => Promise<Classifier>;
  config: Pick<Config, "maxConcurrency" | "queueTimeoutMs">;
  /** Receives the reason if the model cannot be used. */
  report?: (error: unknown) => void;
  /** Receives the number of images of each run. */
  onRun?: (images: number) => void;
  /** Estimated time of what is queued, in µs, for all models that run in this thread; by default for this one. */
  work?: Quota;
  /** The time in ms, on a clock that never goes back; `performance.now()` by default. */
  now?: () => number;
}

/** Scores, with the time spent in the queue and in the model; the latter is that of all runs with its images. */
export interface Answer {
  scores: Scores;
  queueMs: number;
  inferMs: number;
}

/** One request's images. */
interface Job {
  pixels: Float32Array;
  since: number;
  /** Of each part that has run. */
  parts: Scores[];
  /** Images that have not run. */
  left: number;
  queueMs: number;
  inferMs: number;
  error?: unknown;
}

/** A part of a job that runs in one batch. */
interface Part {
  job: Job;
  pixels: Float32Array;
  /** Whether it needs a batch for itself. */
  isAlone: boolean;
}

export class Engine {
  readonly #options: EngineOptions;
  readonly #queue = new FairQueue<Part>();
  readonly #requests: Quota;
  /** Estimated time in the model of what is queued, in µs. */
  readonly #work: Quota;
  #loading: Promise<Classifier> | undefined;
  #loaded: Classifier | undefined;
  #running: Promise<void> | undefined;
  /** Whether the event loop has turned since the last run. */
  #turned = true;
  /** How many times the model has run. */
  #runs = 0;
  /** How many more requests do not wait for others. */
  #unaccompanied = 0;
  /** Images in the queue. */
  #images = 0;
  /** Time in the model and images of the last runs; a run counts less with each that follows. */
  readonly #recent = { ms: 0, images: 0 };

  readonly #now: () => number;

  constructor(options: EngineOptions) {
    this.#options = options;
    const { maxConcurrency, queueTimeoutMs } = options.config;
    this.#requests = new Quota(maxConcurrency);
    this.#work = options.work ?? new Quota(QUEUED_TIMEOUTS * 1000 * queueTimeoutMs);
    this.#now = options.now ?? (() => performance.now());
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
      throw new Problem(503, "The model cannot be loaded", { "retry-after": "1" }, "model");
    });
  }

  /** Releases the model, which must not be in use. */
  async close(): Promise<void> {
    const loading = this.#loading;
    this.#loading = this.#loaded = undefined;
    await (await loading?.catch(() => undefined))?.close();
  }

  async #load(): Promise<Classifier> {
    const classifier = await this.#options.load();
    try {
      await checkScores(classifier);
    } catch (error) {
      await classifier.close();
      throw error;
    }
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

  /** What images take in the model, in µs, by the last runs. */
  microsOf(images: number): number {
    const recent = this.#recent;
    return recent.images === 0 ? 0 : 1000 * recent.ms / recent.images * images;
  }

  /**
   * Classifies images, together with those of other requests. Clients take turns of a batch each.
   *
   * @param pixels `[N, imageSize]`, row-major, 0..1
   * @param client who sent them
   * @param isGone whether the client has disconnected, so that they need not run
   * @throws {RangeError} if the pixels are not a whole number of images, or none
   * @throws {Problem} 503 if the queue is full, the model is not free in time, or there is no model
   */
  async run(pixels: Float32Array, client = "", isGone: () => boolean = () => false): Promise<Answer> {
    const classifier = this.#loaded ?? await this.classifier();
    const { imageSize } = classifier;
    if (pixels.length === 0 || pixels.length % imageSize !== 0) {
      throw new RangeError(
        `Cannot classify as the pixels must be a positive multiple of ${imageSize}: ` +
          `current length is ${pixels.length}`,
      );
    }
    if (!this.#requests.take(client, 1)) {
      throw busy(`${this.#requests.total} requests are queued`, "queue_full");
    }
    const micros = Math.ceil(this.microsOf(pixels.length / imageSize));
    try {
      if (!this.#work.take(client, micros)) throw busy(`${this.#images} images are queued`, "queue_full");
      try {
        return await this.#answer(this.#enqueue(pixels, client, imageSize), classifier, isGone);
      } finally {
        this.#work.give(client, micros);
      }
    } finally {
      this.#requests.give(client, 1);
    }
  }

  #enqueue(pixels: Float32Array, client: string, imageSize: number): Job {
    const images = pixels.length / imageSize;
    const job: Job = { pixels, since: this.#now(), parts: [], left: images, queueMs: 0, inferMs: 0 };
    const most = Math.min(PART_IMAGES, batchImages(imageSize)) * imageSize;
    const isAlone = pixels.length > most;
    for (let at = 0; at < pixels.length; at += most) {
      const part = isAlone ? pixels.subarray(at, at + most) : pixels;
      const weight = { cost: part.length / imageSize, rank: images };
      this.#queue.push(client, weight, { job, pixels: part, isAlone });
    }
    this.#images += images;
    return job;
  }

  async #answer(job: Job, classifier: Classifier, isGone: () => boolean): Promise<Answer> {
    if (this.#unaccompanied-- <= 0) await this.#gather(job);
    const most = batchImages(classifier.imageSize);
    while (job.left > 0 && !("error" in job)) {
      // The model runs one batch at a time.
      if (this.#running) await this.#running;
      else if (this.#turned || this.#images <= most) await this.#runNext(classifier);
      else await this.#letIn();
      if (job.left > 0 && job.parts.length > 0 && isGone()) job.error ??= gone();
    }
    if ("error" in job) throw job.error;
    return { scores: join(job.parts), queueMs: job.queueMs, inferMs: job.inferMs };
  }

  /**
   * Lets requests that have arrived during a run join the queue. Every job waits for a turn of its own: workerd ends
   * requests that wait for nothing but others.
   */
  async #letIn(): Promise<void> {
    const runs = this.#runs;
    await turn();
    this.#turned = this.#runs === runs;
  }

  /**
   * Other requests may be pending, as a run blocks the event loop: one turn of the loop lets them arrive. It takes 0.1 ms,
   * which is wasted if a single client sends one request at a time.
   */
  async #gather(job: Job): Promise<void> {
    await this.#letIn();
    const alone = this.#queue.size === 1 && this.#queue.peek()?.job === job && !this.#running;
    this.#unaccompanied = alone ? UNACCOMPANIED : 0;
  }

  /** Runs the next batch. It does not throw: each job gets its own error. */
  async #runNext(classifier: Classifier): Promise<void> {
    const { imageSize } = classifier;
    // Not the promise of this function, which may end before it is returned.
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#running = promise;
    const start = this.#now();
    const parts = this.#take(start, imageSize);
    try {
      if (parts.length === 0) return;
      const pixels = concat(parts);
      const scores = await classifier.runScaled(pixels);
      const images = pixels.length / imageSize;
      if (parts.length > 1) release(pixels);
      this.#options.onRun?.(images);
      const inferMs = this.#now() - start;
      this.#count(inferMs, images);
      let at = 0;
      for (const { job, pixels } of parts) {
        const count = pixels.length / imageSize;
        job.parts.push(count === images ? scores : slice(scores, at, at + count, images));
        // An image of the first batch has not waited for the later ones.
        if (job.parts.length === 1) job.queueMs = start - job.since;
        job.inferMs += inferMs;
        job.left -= count;
        at += count;
      }
    } catch (error) {
      for (const { job } of parts) job.error = error;
    } finally {
      this.#running = undefined;
      resolve();
      this.#turned = false;
      this.#runs++;
    }
  }

  /** Weighs runs by their images: one that was interrupted says little about an image if it had only one. */
  #count(ms: number, images: number): void {
    const kept = 1 - 1 / AVERAGED_RUNS;
    this.#recent.ms = kept * this.#recent.ms + ms;
    this.#recent.images = kept * this.#recent.images + images;
  }

  /** Takes as many parts as run well together, at least one, in turn; jobs that waited too long fail. */
  #take(now: number, imageSize: number): Part[] {
    const { queueTimeoutMs } = this.#options.config;
    const most = batchImages(imageSize);
    const parts: Part[] = [];
    let images = 0;
    for (let part = this.#queue.peek(); part; part = this.#queue.peek()) {
      const { job } = part, count = part.pixels.length / imageSize;
      const isLate = job.parts.length === 0 && now - job.since > queueTimeoutMs;
      if (isLate && !("error" in job)) {
        job.error = busy(`the model was not available within ${queueTimeoutMs} ms`, "queue_timeout");
      }
      if (!("error" in job)) {
        const places = part.isAlone ? most : count;
        if (images > 0 && images + places > most) break;
        parts.push(part);
        images += places;
      }
      this.#queue.shift();
      this.#images -= count;
    }
    return parts;
  }
}

/** Images of a batch at most. */
function batchImages(imageSize: number): number {
  return Math.max(1, Math.min(BATCH_IMAGES, Math.floor(BATCH_NUMBERS / imageSize)));
}

function concat(parts: Part[]): Float32Array<ArrayBuffer> {
  if (parts.length === 1) return parts[0]!.pixels as Float32Array<ArrayBuffer>;
  const whole = new Float32Array(parts.reduce((sum, { pixels }) => sum + pixels.length, 0));
  let at = 0;
  for (const { pixels } of parts) {
    whole.set(pixels, at);
    at += pixels.length;
  }
  return whole;
}

/** The scores of some images of a batch. */
function slice(scores: Scores, from: number, to: number, images: number): Scores {
  return map(scores, (values) => values.subarray(from * values.length / images, to * values.length / images));
}

/** The scores of all parts, in order. */
function join(parts: Scores[]): Scores {
  const [first] = parts as [Scores];
  if (parts.length === 1) return first;
  return map(first, (_, name) => {
    const all = parts.map((part) => part[name]!);
    const whole = new Float32Array(all.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const values of all) {
      whole.set(values, at);
      at += values.length;
    }
    return whole;
  });
}

/** Whatever a model gives for each image: every array of scores has as many numbers for each. */
function map(scores: Scores, change: (values: Float32Array, name: keyof Scores) => Float32Array): Scores {
  const names = Object.keys(scores) as (keyof Scores)[];
  return Object.fromEntries(names.map((name) => [name, change(scores[name]!, name)])) as unknown as Scores;
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
  const { labels, familiarity } = classifier.description;
  const outputs = {
    logits: labels.length,
    probabilities: labels.length,
    ...(familiarity && { familiarity: 1 }),
  };
  for (const [name, size] of Object.entries(outputs) as [keyof Scores, number][]) {
    const values = scores[name];
    const expected = 2 * size;
    if (values?.length !== expected) {
      throw new TypeError(
        `Cannot use the model as it must return ${expected} ${name} for two images: ` +
          `current number is ${values?.length ?? 0}`,
      );
    }
    const wrong = values.find((score) => !Number.isFinite(score));
    if (wrong !== undefined) {
      throw new RangeError(`Cannot use the model as its ${name} must be finite: current value is ${wrong}`);
    }
  }
}
