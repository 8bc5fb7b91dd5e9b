/**
 * One of several servers on a port, in a thread of its own. `supervisor.ts` starts it.
 *
 * @module
 */
// Must be the first import; the module explains why.
import "../../shared/inference/worker.ts";
import { createLog } from "../log.ts";
import { Problem } from "../problem.ts";
import { type Server, startServer } from "../server.ts";
import { writeLine } from "../write_line.ts";
import { ask, type Order, type Report, type RepositoryChange, type RepositoryResult } from "./messages.ts";

/** In ms: longer than any worker needs, and shorter than Prometheus waits. */
const COLLECT_TIMEOUT_MS = 5000;

/** In ms: a large model takes seconds. */
const REPOSITORY_TIMEOUT_MS = 60_000;

const thread = self as unknown as {
  onmessage: (event: { data: Order }) => Promise<void>;
  postMessage(report: Report, transfer?: Transferable[]): void;
};

let server: Server | undefined;

/** Asks all workers to change their models. */
async function change(change: RepositoryChange): Promise<void> {
  const result = await ask<RepositoryResult>(
    (reply) => thread.postMessage({ type: "repository", change, reply }, [reply]),
    REPOSITORY_TIMEOUT_MS,
  );
  if (result === undefined) throw new Problem(503, "The server is busy: the models were not changed in time");
  if (result) throw new Problem(result.status, result.detail);
}

/** Changes the models of this worker. */
async function apply({ action, name }: RepositoryChange): Promise<RepositoryResult> {
  try {
    await server?.repository[action](name);
    return null;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return { status: error.status, detail: error.detail };
  }
}

thread.onmessage = async ({ data }): Promise<void> => {
  switch (data.type) {
    case "start": {
      const { config, worker } = data;
      server = await startServer({
        config,
        log: createLog(config.logLevel, writeLine, { worker }),
        onListen: () => thread.postMessage({ type: "listening" }),
        reusePort: true,
        repository: {
          load: (name) => change({ action: "load", name }),
          unload: (name) => change({ action: "unload", name }),
        },
        collectMetrics: async () =>
          await ask<string>(
            (reply) => thread.postMessage({ type: "collect", reply }, [reply]),
            COLLECT_TIMEOUT_MS,
          ) ?? "",
      });
      await server.finished;
      break;
    }
    case "metrics":
      data.reply.postMessage(server?.metrics() ?? "");
      break;
    case "repository":
      data.reply.postMessage(await apply(data.change));
      break;
    case "stop":
      thread.postMessage({ type: "stopped", unanswered: await server?.stop() ?? 0 });
  }
};
