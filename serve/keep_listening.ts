/**
 * Keeps a server listening when it cannot accept connections. `Deno.serve` gives up at the first error, as when too
 * many file descriptors are open, but the process has to go on.
 *
 * @module
 */

/** What `Deno.serve` returns. */
export interface HttpServer {
  /** Resolves after `shutdown()`, and rejects if the server cannot accept connections. */
  readonly finished: Promise<void>;
  /** Stops listening, closes idle connections, and resolves when the others are closed, too. */
  shutdown(): Promise<void>;
}

/** In ms: a server that fails sooner than this is started again after a pause. */
const EARLY_MS = 1000;
const PAUSE_MS = 100;

/** In ms: an address that is unavailable for this long will stay so. */
const GIVE_UP_MS = 10_000;

/**
 * Starts a server, and starts another one whenever it fails. The failed one is shut down, which closes its idle
 * connections: if file descriptors are short, these are what can be given up. Its active requests are answered.
 *
 * @param listen starts a server; the second call has to use the same port as the first
 * @param report receives the reason of each failure
 * @param giveUpMs how long it tries to listen again, in ms
 * @returns a server that fails only if it could not listen again
 * @throws what `listen` throws when it is first called
 */
export function keepListening(
  listen: () => HttpServer,
  report: (error: unknown) => void,
  giveUpMs = GIVE_UP_MS,
): HttpServer {
  let server = listen();
  let stopping = false;
  const failed = new Set<Promise<void>>();
  const listenAgain = async (): Promise<void> => {
    const deadline = performance.now() + giveUpMs;
    while (!stopping) {
      try {
        server = listen();
        return;
      } catch (error) {
        if (performance.now() >= deadline) throw error;
        await pause();
      }
    }
  };
  const run = async (): Promise<void> => {
    while (!stopping) {
      const since = performance.now();
      try {
        return await server.finished;
      } catch (error) {
        report(error);
      }
      const closing = server.shutdown().catch(report);
      failed.add(closing);
      closing.then(() => failed.delete(closing));
      if (performance.now() - since < EARLY_MS) await pause();
      await listenAgain();
    }
  };
  return {
    finished: run(),
    shutdown: async (): Promise<void> => {
      stopping = true;
      await Promise.all([server.shutdown(), ...failed]);
    },
  };
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
}
