/**
 * Keeps a server running after an error that nobody handles: Deno would end the process, and with it the requests of all
 * clients.
 *
 * @module
 */

/** @param report receives each reason; all of them are bugs */
export function surviveRejections(report: (error: unknown) => void): void {
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    report(event.reason);
  });
}
