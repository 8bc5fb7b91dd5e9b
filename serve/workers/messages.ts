/**
 * What the supervisor and its workers send each other.
 *
 * @module
 */
import type { Config } from "../config.ts";

/** From the supervisor to a worker; a response to `metrics` comes on the port. */
export type Order =
  | { type: "start"; config: Config; worker: number }
  | { type: "metrics"; reply: MessagePort }
  | { type: "stop" };

/** From a worker to the supervisor; the metrics of all workers are expected on the port. */
export type Report =
  | { type: "listening" }
  | { type: "collect"; reply: MessagePort }
  | { type: "stopped"; unanswered: number };

/**
 * Sends a message with a port for the response.
 *
 * @param timeoutMs after which the response is undefined, as of a worker that has ended
 */
export function ask<T>(
  send: (reply: MessagePort) => void,
  timeoutMs: number,
): Promise<T | undefined> {
  const { port1, port2 } = new MessageChannel();
  const { promise, resolve } = Promise.withResolvers<T | undefined>();
  const timer = setTimeout(() => resolve(undefined), timeoutMs);
  port1.onmessage = ({ data }): void => resolve(data);
  send(port2);
  return promise.finally(() => {
    clearTimeout(timer);
    port1.close();
  });
}
