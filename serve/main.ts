/**
 * Serves on Deno: `deno task serve`. The same application as on Cloudflare, with what a process has: a port, signals,
 * and a model file of your own.
 *
 * @module
 */
import { parseArgs } from "node:util";
import type { ModelDescription } from "../shared/contract.ts";
import { InputError } from "../shared/errors.ts";
import { createNativeSession } from "../shared/inference/ort_native.ts";
import { readModel } from "../shared/models.ts";
import { announce } from "./announce.ts";
import project from "../deno.json" with { type: "json" };
import { createApp } from "./app.ts";
import { type Config, readConfig, VARIABLES } from "./config.ts";
import { DecodePool } from "./decode/pool.ts";
import { drainable } from "./drain.ts";
import { type HttpServer, keepListening } from "./keep_listening.ts";
import { createLog, describeError } from "./log.ts";
import { loadModel } from "./model.ts";
import { openTelemetry } from "./open_telemetry.ts";
import { onDeno } from "./platform.ts";
import { shippedModel } from "./shipped_model.ts";

const HELP = `Serve the classifier over HTTP

Usage: deno task serve [options]

  --port <number>  Port to listen on, 0 for any free one (default: $PORT or 8000)
  --host <name>    Address to listen on (default: $HOST or 127.0.0.1)
  --help           Show this help

Environment variables (details in docs/deploy.md):

${
  VARIABLES.map(({ name, default: fallback, help }) =>
    `  ${name.padEnd(21)}  ${help}${fallback === "" ? "" : ` (default: ${fallback})`}`
  ).join("\n")
}
`;

function readOptions(args: string[]): Config {
  let values: { port?: string; host?: string; help?: boolean };
  try {
    ({ values } = parseArgs({
      args,
      options: { port: { type: "string" }, host: { type: "string" }, help: { type: "boolean" } },
    }));
  } catch (error) {
    throw new InputError("usage", `${(error as Error).message}; --help lists the options`);
  }
  if (values.help) {
    write(Deno.stdout, HELP);
    Deno.exit(0);
  }
  const env = Object.fromEntries(VARIABLES.map(({ name }) => [name, Deno.env.get(name)]));
  for (const [name, value] of [["PORT", values.port], ["HOST", values.host]] as const) {
    if (value === "") throw new InputError("usage", `Cannot read --${name.toLowerCase()} as it is empty`);
    if (value !== undefined) env[name] = value;
  }
  return readConfig(env);
}

async function modelBytes({ model }: Config): Promise<Uint8Array<ArrayBuffer>> {
  return model === "" ? shippedModel : (await readModel(model)).bytes;
}

async function serve(config: Config): Promise<void> {
  // A wrong path is a mistake in the command line; a file that is not a model is only not ready.
  await modelBytes(config);
  const log = createLog(config.logLevel, (line) => write(Deno.stdout, `${line}\n`));
  const telemetry = openTelemetry(project.version);
  const report = (error: unknown): void => log("error", "failure", { error: describeError(error) });
  const pool = new DecodePool(report);
  const app = createApp({
    // Read again by each attempt, so that replacing a bad file fixes a running server.
    load: async () =>
      await loadModel(await modelBytes(config), {
        sha256: config.modelSha256,
        ...(config.runtime === "native" && { create: createNativeSession }),
      }),
    report,
    config,
    log,
    ...(telemetry && { meter: telemetry.meter }),
    pool,
  });
  const { fetch, drain } = drainable((request, info) =>
    app.fetch(request, onDeno(request, info, config, telemetry))
  );
  // Checked before listening, so that the first request is as fast as the next. A model that fails its checks does
  // not end the process: it is live but not ready, the log has the reason, and the next request tries again.
  const { ready } = await app.engine.ready();
  const stop = async (): Promise<void> => {
    // A second signal ends the process at once.
    for (const signal of SIGNALS) Deno.removeSignalListener(signal, stop);
    log("info", "stop");
    const deadline = performance.now() + config.shutdownTimeoutMs;
    const unanswered = await drain(config.shutdownTimeoutMs);
    // Responses may still be on their way to slow clients.
    const left = deadline - performance.now();
    await Promise.race([server.shutdown(), new Promise((resolve) => setTimeout(resolve, left))]);
    log("info", "stopped", { unanswered });
    Deno.exit(0);
  };
  for (const signal of SIGNALS) Deno.addSignalListener(signal, stop);
  const server = listen(config, fetch, (error) => log("warn", "accept failed", { error: String(error) }));
  announce(log, config);
  if (ready) log("info", "ready", { ...nameOf(app.engine.loaded!.description), runtime: config.runtime });
  await server.finished;
}

function nameOf({ name, version }: ModelDescription): Record<string, unknown> {
  return { model: name, version };
}

// Windows has no SIGTERM.
const SIGNALS: Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];

function listen(
  { port, host: hostname }: Config,
  fetch: (request: Request, info: Deno.ServeHandlerInfo<Deno.NetAddr>) => Response | Promise<Response>,
  report: (error: unknown) => void,
): HttpServer {
  let address: Deno.NetAddr | undefined;
  const start = (): HttpServer => {
    const isFirst = address === undefined;
    const server = Deno.serve(
      // A later server uses the port that was free for the first one.
      { port: address?.port ?? port, hostname, onListen: isFirst ? greet : (): void => {} },
      fetch,
    );
    address = server.addr;
    return server;
  };
  try {
    return keepListening(start, report);
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) {
      throw new InputError("usage", `Cannot serve as port ${port} of ${hostname} is in use`);
    }
    throw new InputError(
      "usage",
      `Cannot serve on port ${port} of "${hostname}": ${(error as Error).message}`,
    );
  }
}

/** Prints where the server listens. */
function greet(address: Deno.NetAddr): void {
  const host = address.hostname.includes(":") ? `[${address.hostname}]` : address.hostname;
  const url = `http://${host}:${address.port}`;
  write(
    Deno.stderr,
    `Listening on ${url}/\n\n` +
      `  curl ${url}/v1/classify -H 'content-type: image/png' --data-binary @shoe.png\n\n`,
  );
}

function write(to: { writeSync(bytes: Uint8Array): number }, text: string): void {
  to.writeSync(new TextEncoder().encode(text));
}

try {
  await serve(readOptions(Deno.args));
} catch (error) {
  if (!(error instanceof InputError)) throw error;
  write(Deno.stderr, `error: ${[error.message, error.hint].filter(Boolean).join(". ")}\n`);
  Deno.exit(2);
}
