/**
 * What Triton's statistics extension counts
 * (https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_statistics.md), over all
 * routes that classify. The counters are this process's: on Cloudflare each isolate has its own.
 *
 * @module
 */

/** Count, and total duration in ns. */
interface Total {
  count: number;
  ns: number;
}

/** One request's stages, in ms. */
export interface Stages {
  decodeMs: number;
  queueMs: number;
  inferMs: number;
  encodeMs: number;
}

const COMPUTED = ["compute_input", "compute_infer", "compute_output"] as const;
type Computed = Record<typeof COMPUTED[number], Total>;

export class Statistics {
  #lastInference = 0;
  #inferences = 0;
  #executions = 0;
  readonly #success = total();
  readonly #fail = total();
  readonly #queue = total();
  readonly #computed: Computed = computed();
  readonly #batches = new Map<number, Computed>();

  /** Counts a run of the model, which can be for several requests. */
  countRun(): void {
    this.#executions++;
  }

  /**
   * Counts a request that has been answered.
   *
   * @param images how many, from 1 on
   */
  countSuccess(images: number, { decodeMs, queueMs, inferMs, encodeMs }: Stages): void {
    this.#lastInference = Date.now();
    this.#inferences += images;
    add(this.#success, decodeMs + queueMs + inferMs + encodeMs);
    add(this.#queue, queueMs);
    let batch = this.#batches.get(images);
    if (!batch) this.#batches.set(images, batch = computed());
    for (const totals of [this.#computed, batch]) {
      add(totals.compute_input, decodeMs);
      add(totals.compute_infer, inferMs);
      add(totals.compute_output, encodeMs);
    }
  }

  /** Counts a request that the model could not answer. */
  countFailure(ms: number): void {
    add(this.#fail, ms);
  }

  /** The counters as JSON, for one model. */
  describe(name: string, version: string): Record<string, unknown> {
    return {
      model_stats: [{
        name,
        version,
        last_inference: this.#lastInference,
        inference_count: this.#inferences,
        execution_count: this.#executions,
        inference_stats: {
          success: whole(this.#success),
          fail: whole(this.#fail),
          queue: whole(this.#queue),
          ...describeComputed(this.#computed),
        },
        batch_stats: [...this.#batches].sort(([a], [b]) => a - b).map(([batch_size, totals]) => ({
          batch_size,
          ...describeComputed(totals),
        })),
      }],
    };
  }
}

function total(): Total {
  return { count: 0, ns: 0 };
}

function computed(): Computed {
  return { compute_input: total(), compute_infer: total(), compute_output: total() };
}

function add(sum: Total, ms: number): void {
  sum.count++;
  sum.ns += ms * 1e6;
}

function whole({ count, ns }: Total): Total {
  return { count, ns: Math.round(ns) };
}

function describeComputed(totals: Computed): Computed {
  return Object.fromEntries(COMPUTED.map((key) => [key, whole(totals[key])])) as Computed;
}
