/**
 * The program of a thread of {@linkcode DecodePool}: a task in, its result out.
 *
 * @module
 */
import { InputError } from "../../shared/errors.ts";
import type { Batch } from "./batch.ts";
import { type Reply, toWire } from "./pool.ts";
import { readTask, type Task } from "./task.ts";

interface Scope {
  postMessage(message: unknown, transfer?: Transferable[]): void;
  onmessage: ((event: MessageEvent<Task>) => void) | null;
}

const scope = globalThis as unknown as Scope;

async function reply(task: Task): Promise<Reply> {
  try {
    const { failures, ...result } = await readTask(task, stay) as Partial<Batch> & Record<string, unknown>;
    return {
      result,
      ...(failures && { failures: [...failures].map(([n, error]) => [n, toWire(error)]) }),
    };
  } catch (error) {
    if (error instanceof InputError) return { input: toWire(error) };
    return { bug: error instanceof Error ? error.stack ?? error.message : String(error) };
  }
}

async function stay(): Promise<void> {}

scope.onmessage = async ({ data }): Promise<void> => {
  scope.postMessage(await reply(data));
};
scope.postMessage({ started: true } satisfies Reply);
