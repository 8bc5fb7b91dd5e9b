/**
 * Starts the worker on workerd.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { createTestHarness } from "wrangler";

/** A worker by the name that it has in the test. */
export interface Workerd {
  /** Sends a request to a path of the worker. */
  send(path: string, init?: RequestInit): Promise<Response>;
}

export interface WorkerdServer extends AsyncDisposable {
  workers: Record<string, Workerd>;
  /** The entries of the workers' logs so far. */
  entries(): Record<string, unknown>[];
}

/** One process with a worker for each set of `[vars]` and other settings of wrangler.toml. */
export async function startWorkerd(
  workers: Record<string, { variables?: Record<string, string>; bindings?: Record<string, unknown> }>,
): Promise<WorkerdServer> {
  // Miniflare would ask Cloudflare where in the world it is; nothing here depends on that.
  Deno.env.set("CLOUDFLARE_CF_FETCH_ENABLED", "false");
  const server = createTestHarness({
    workers: Object.entries(workers).map(([name, { variables = {}, bindings = {} }]) => ({
      config: { ...CONFIG, name, vars: variables, ...bindings },
    })),
  });
  await server.listen();
  return {
    workers: Object.fromEntries(
      Object.keys(workers).map((name) => {
        const worker = server.getWorker(name);
        const send = (path: string, init?: RequestInit): Promise<Response> =>
          worker.fetch(`http://localhost${path}`, init as never) as unknown as Promise<Response>;
        return [name, { send }];
      }),
    ),
    entries: () => server.getLogs().map(({ message }) => JSON.parse(message)),
    [Symbol.asyncDispose]: () => server.close(),
  };
}

// As wrangler.toml has it; more than one worker of a process need names of their own.
const CONFIG = {
  main: fileURLToPath(new URL("../../serve/worker.ts", import.meta.url)),
  compatibility_date: /^compatibility_date = "(.+)"/m.exec(
    await Deno.readTextFile(new URL("../../wrangler.toml", import.meta.url)),
  )![1]!,
  compatibility_flags: ["enable_request_signal"],
  rules: [
    { type: "Data" as const, globs: ["**/*.onnx"], fallthrough: true },
    { type: "CompiledWasm" as const, globs: ["**/*.wasm"], fallthrough: true },
    { type: "Text" as const, globs: ["**/playground/assets/*"], fallthrough: true },
  ],
};
