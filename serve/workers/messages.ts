/**
 * The messages between the supervisor and its workers.
 *
 * @module
 */
import type { Config } from "../config.ts";
import type { Repository } from "../models/models.ts";
import type { ProblemStatus } from "../problem.ts";

/** A model that all workers load or unload. */
export interface RepositoryChange {
  action: keyof Repository;
  name: string;
}

/** The result: null for success, or the problem. */
export type RepositoryResult = { status: ProblemStatus; detail: string } | null;

/** From the supervisor to a worker, which responds on the port. */
export type Order =
  | { type: "start"; config: Config; worker: number }
  | { type: "metrics"; reply: MessagePort }
  | { type: "repository"; change: RepositoryChange; reply: MessagePort }
  | { type: "stop" };

/** From a worker to the supervisor, which sends the result of all workers to the port. */
export type Report =
  | { type: "listening" }
  | { type: "collect"; reply: MessagePort }
  | { type: "repository"; change: RepositoryChange; reply: MessagePort }
  | { type: "stopped"; unanswered: number };

/**
 * Sends a message with a port for the response.
 *
 * @param timeoutMs after which the response is undefined, for example because a worker has ended
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
