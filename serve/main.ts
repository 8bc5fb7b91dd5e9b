/**
 * Serves on Deno: `deno task serve`. The same application as on Cloudflare, with what a process has: a port, signals,
 * and a model file of your own.
 *
 * @module
 */
import { InputError } from "../shared/errors.ts";
import { announce } from "./announce.ts";
import { type Config, readConfig, VARIABLES } from "./config.ts";
import { createLog, type Log } from "./log.ts";
import { checkModels, listening, type Server, startServer } from "./server.ts";
import { write, writeLine } from "./write_line.ts";

const HELP = `Serve the classifier over HTTP

Usage: deno task serve [options]

  --port <number>  Port to listen on, 0 for any free one (default: $PORT or 8000)
  --host <name>    Address to listen on (default: $HOST or 127.0.0.1)
  --workers <n>    Number of threads that answer on the port, 0 for one per core (default: $WORKERS or 1)
  --help           Show this help

Environment variables (details in docs/deploy.md):

${
  VARIABLES.map(({ name, default: fallback, help }) =>
    `  ${name.padEnd(21)}  ${help}${fallback === "" ? "" : ` (default: ${fallback})`}`
  ).join("\n")
}
`;

async function readOptions(args: string[]): Promise<Config> {
  // Node's modules take 20 ms at the start.
  const { parseArgs } = await import("node:util");
  let values: { port?: string; host?: string; workers?: string; help?: boolean };
  try {
    ({ values } = parseArgs({
      args,
      options: {
        port: { type: "string" },
        host: { type: "string" },
        workers: { type: "string" },
        help: { type: "boolean" },
      },
    }));
  } catch (error) {
    throw new InputError("usage", `${(error as Error).message}; --help lists the options`);
  }
  if (values.help) {
    write(Deno.stdout, HELP);
    Deno.exit(0);
  }
  const env = Object.fromEntries(VARIABLES.map(({ name }) => [name, Deno.env.get(name)]));
  for (const name of ["port", "host", "workers"] as const) {
    const value = values[name];
    if (value === "") throw new InputError("usage", `Cannot read --${name} as it is empty`);
    if (value !== undefined) env[name.toUpperCase()] = value;
  }
  return readConfig(env);
}

async function serve(config: Config): Promise<void> {
  const log = createLog(config.logLevel, writeLine);
  const starting = config.workers === 1
    ? startServer({ config, log, onListen: greet })
    : startWorkers(config, log);
  const onSignal = async (): Promise<void> => {
    // A second signal ends the process at once.
    for (const signal of SIGNALS) Deno.removeSignalListener(signal, onSignal);
    const { stop } = await starting;
    log("info", "stop");
    log("info", "stopped", { unanswered: await stop() });
    Deno.exit(0);
  };
  for (const signal of SIGNALS) Deno.addSignalListener(signal, onSignal);
  const { finished } = await starting;
  announce(log, config);
  await finished;
}

/** Starts servers in several threads. */
async function startWorkers(config: Config, log: Log): Promise<Pick<Server, "stop" | "finished">> {
  if (Deno.build.os === "windows") {
    throw new InputError("usage", "Cannot use several workers as Windows does not share a port among them");
  }
  await checkModels(config);
  // The workers' sockets would also share the port with another server that shares it.
  const socket = listening(config, () => Deno.listen({ hostname: config.host, port: config.port }));
  const { addr } = socket;
  socket.close();
  const shared = { ...config, port: addr.port, workers: config.workers || navigator.hardwareConcurrency };
  const { supervise } = await import("./workers/supervisor.ts");
  const { listening: allListening, stop } = supervise({ config: shared, log });
  await allListening;
  greet(addr);
  return { stop, finished: new Promise(() => {}) };
}

// Windows has no SIGTERM.
const SIGNALS: Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];

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

try {
  await serve(await readOptions(Deno.args));
} catch (error) {
  if (!(error instanceof InputError)) throw error;
  write(Deno.stderr, `error: ${[error.message, error.hint].filter(Boolean).join(". ")}\n`);
  Deno.exit(2);
}
