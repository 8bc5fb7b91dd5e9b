/** A worker that answers with its number and how often it was started, and fails at `/crash`. */
import type { Order, Report } from "../../serve/workers/messages.ts";

const thread = self as unknown as {
  onmessage: (event: { data: Order }) => void;
  postMessage(report: Report): void;
};

thread.onmessage = ({ data }): void => {
  if (data.type === "start") {
    const { config: { host: hostname, port }, worker } = data;
    const onListen = (): void => thread.postMessage({ type: "listening" });
    Deno.serve({ hostname, port, reusePort: true, onListen }, (request) => {
      if (new URL(request.url).pathname === "/crash") {
        queueMicrotask(() => {
          throw new Error("crashed on purpose");
        });
      }
      return new Response(String(worker));
    });
  }
  if (data.type === "stop") thread.postMessage({ type: "stopped", unanswered: 1 });
};
