/**
 * Lets a server finish its active requests. `Deno.HttpServer.shutdown()` should, but since Deno 2.9 the bodies of
 * requests that are still arriving become unreadable (https://github.com/denoland/deno/issues/36809). So requests are
 * counted here, and the server is shut down when none is active. Remove this file once that issue is closed.
 *
 * @module
 */
import { Problem, problemDocument } from "./problem.ts";
import type { DenoInfo } from "./platform.ts";

type Fetch = (request: Request, info: DenoInfo) => Response | Promise<Response>;

/** Wraps a server's handler. */
export function drainable(fetch: Fetch): {
  fetch: Fetch;
  /** Answers new requests with 503 from now on and resolves when all earlier ones are answered. */
  drain: () => Promise<void>;
} {
  const drained = Promise.withResolvers<void>();
  let active = 0;
  let stopping = false;
  return {
    fetch: async (request, info) => {
      if (stopping) {
        return problemDocument(
          new Problem(503, "The server is stopping", { connection: "close", "retry-after": "1" }),
        );
      }
      active++;
      try {
        return await fetch(request, info);
      } finally {
        active--;
        if (stopping && active === 0) drained.resolve();
      }
    },
    drain: () => {
      stopping = true;
      if (active === 0) drained.resolve();
      return drained.promise;
    },
  };
}
