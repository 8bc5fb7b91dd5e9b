/**
 * Several servers on one port, each in a thread of its own. The operating system distributes connections among them.
 * One that fails is replaced. They are threads and not processes, as starting a process needs `--allow-run`, which
 * amounts to all permissions.
 *
 * @module
 */
import type { Config } from "../config.ts";
import type { Log } from "../log.ts";
import { mergeMetrics } from "./merge_metrics.ts";
import { ask, type Order, type Report, type RepositoryChange, type RepositoryResult } from "./messages.ts";

/** In ms: a worker that fails sooner than this is replaced after a pause. */
const EARLY_MS = 5000;
const PAUSE_MS = 1000;

/** In ms: the metrics of a worker that takes longer are left out. */
const METRICS_TIMEOUT_MS = 2000;

/** In ms: a worker that takes longer, or that has ended, has no result. */
const REPOSITORY_TIMEOUT_MS = 50_000;

export interface SupervisorOptions {
  /** Neither the port nor the number of workers may be 0. */
  config: Config;
  log: Log;
  /** The program of a worker. */
  program?: URL;
}

/** Servers that share a port. */
export interface Supervisor {
  /** Resolves when all workers listen. */
  readonly listening: Promise<void>;
  /**
   * Ends all workers within `SHUTDOWN_TIMEOUT_MS`.
   *
   * @returns the number of requests that were not answered
   */
  stop(): Promise<number>;
}

const PROGRAM = new URL("./worker.ts", import.meta.url);

/** Starts the workers. */
export function supervise({ config, log, program = PROGRAM }: SupervisorOptions): Supervisor {
  const running = new Map<number, Worker>();
  let stopping = false;

  const send = (worker: Worker, order: Order, transfer: Transferable[] = []): void =>
    worker.postMessage(order, transfer);

  const collect = async (): Promise<string> => {
    const texts = new Map<number, string>();
    await Promise.all([...running].map(async ([number, worker]) => {
      const text = await ask<string>(
        (reply) => send(worker, { type: "metrics", reply }, [reply]),
        METRICS_TIMEOUT_MS,
      );
      texts.set(number, text ?? "");
    }));
    return mergeMetrics(new Map([...texts].sort(([a], [b]) => a - b)));
  };

  /** Changes the models of all workers, and returns the first problem. */
  const change = async (change: RepositoryChange): Promise<RepositoryResult> => {
    const results = await Promise.all([...running.values()].map((worker) =>
      ask<RepositoryResult>(
        (reply) => send(worker, { type: "repository", change, reply }, [reply]),
        REPOSITORY_TIMEOUT_MS,
      )
    ));
    return results.find((result) => result) ?? null;
  };

  /** Starts one worker; resolves when it listens. */
  const start = (number: number): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const worker = new Worker(program, { type: "module", name: `worker ${number}` });
    const since = performance.now();
    running.set(number, worker);
    worker.onmessage = async ({ data }: MessageEvent<Report>): Promise<void> => {
      if (data.type === "listening") resolve();
      if (data.type === "collect") data.reply.postMessage(await collect());
      if (data.type === "repository") data.reply.postMessage(await change(data.change));
    };
    worker.onerror = (event): void => {
      // Without this, the error would end the process.
      event.preventDefault();
      running.delete(number);
      worker.terminate();
      log("error", "worker failed", { worker: number, error: event.message });
      if (stopping) return;
      const pause = performance.now() - since < EARLY_MS ? PAUSE_MS : 0;
      setTimeout(() => stopping || start(number).then(resolve), pause);
    };
    send(worker, { type: "start", config, worker: number });
    return promise;
  };

  return {
    listening: Promise.all(Array.from({ length: config.workers }, (_, i) => start(i + 1))).then(() => {}),
    stop: async (): Promise<number> => {
      stopping = true;
      const unanswered = await Promise.all([...running.values()].map((worker) => {
        const { promise, resolve } = Promise.withResolvers<number>();
        worker.addEventListener("message", ({ data }: MessageEvent<Report>) => {
          if (data.type === "stopped") resolve(data.unanswered);
        });
        worker.addEventListener("error", () => resolve(0));
        send(worker, { type: "stop" });
        return promise;
      }));
      return unanswered.reduce((sum, count) => sum + count, 0);
    },
  };
}
