/**
 * One of several servers on a port, in a thread of its own. `supervisor.ts` starts it.
 *
 * @module
 */
// Must be the first import; it gives the reason.
import "../../shared/inference/worker.ts";
import { createLog } from "../log.ts";
import { type Server, startServer } from "../server.ts";
import { writeLine } from "../write_line.ts";
import { ask, type Order, type Report } from "./messages.ts";

/** In ms: longer than any worker needs, and shorter than Prometheus waits. */
const COLLECT_TIMEOUT_MS = 5000;

const thread = self as unknown as {
  onmessage: (event: { data: Order }) => Promise<void>;
  postMessage(report: Report, transfer?: Transferable[]): void;
};

let server: Server | undefined;

thread.onmessage = async ({ data }): Promise<void> => {
  switch (data.type) {
    case "start": {
      const { config, worker } = data;
      server = await startServer({
        config,
        log: createLog(config.logLevel, writeLine, { worker }),
        onListen: () => thread.postMessage({ type: "listening" }),
        reusePort: true,
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
    case "stop":
      thread.postMessage({ type: "stopped", unanswered: await server?.stop() ?? 0 });
  }
};
