/**
 * Ends a server without losing accepted requests. `Deno.HttpServer.shutdown()` should, but since Deno 2.9 the bodies of
 * requests that are still arriving become unreadable (https://github.com/denoland/deno/issues/36809), and connections
 * that wait to be accepted are reset. So the server goes on until no request is active, and is shut down then.
 *
 * @module
 */
import { Problem, problemDocument } from "./problem.ts";
import type { DenoInfo } from "./platform.ts";

type Fetch = (request: Request, info: DenoInfo) => Response | Promise<Response>;

/** In ms: requests that were sent before the signal have arrived when the server was idle for this long. */
const QUIET_MS = 100;

/** A handler that counts its requests. */
export interface Drainable {
  fetch: Fetch;
  /**
   * Resolves when no request is active, or at the latest after a time. Until half of it, requests are still answered,
   * with `connection: close`, unless the server becomes idle before; later ones get 503.
   *
   * @returns the number of requests that are still active
   */
  drain(timeoutMs: number): Promise<number>;
}

/** Wraps a server's handler. */
export function drainable(fetch: Fetch): Drainable {
  let state: "open" | "draining" | "stopped" = "open";
  let active = 0;
  /** Called whenever the number of active requests changes. */
  let changed = (): void => {};
  /** Resolves once no request has been active for a time, or after a longer time. */
  const idle = async (quietMs: number, timeoutMs: number): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const latest = setTimeout(resolve, timeoutMs);
    let quiet: ReturnType<typeof setTimeout> | undefined;
    changed = (): void => {
      clearTimeout(quiet);
      if (active === 0) quiet = setTimeout(resolve, quietMs);
    };
    changed();
    await promise;
    clearTimeout(latest);
    clearTimeout(quiet);
    changed = (): void => {};
  };
  return {
    fetch: async (request, info) => {
      if (state === "stopped") {
        return problemDocument(
          new Problem(503, "The server is stopping", { connection: "close", "retry-after": "1" }),
        );
      }
      active++;
      changed();
      try {
        const response = await fetch(request, info);
        if (state !== "open") response.headers.set("connection", "close");
        return response;
      } finally {
        active--;
        changed();
      }
    },
    drain: async (timeoutMs) => {
      state = "draining";
      await idle(QUIET_MS, timeoutMs / 2);
      state = "stopped";
      if (active > 0) await idle(0, timeoutMs / 2);
      return active;
    },
  };
}
