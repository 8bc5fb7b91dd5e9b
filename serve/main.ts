/**
 * Serves on Deno: `deno task serve`. The same application as on the edge, plus what a process has: a port,
 * signals, and a model file of one's own.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { Classifier } from "../shared/inference/classifier.ts";
import { createApp } from "./app.ts";
import { drainable } from "./drain.ts";
import { shippedModel } from "./shipped_model.ts";

const HELP = `Serve the classifier over HTTP

Usage: deno task serve [options]

  --port <number>  Port to listen on, 0 for any free one (default: $PORT or 8000)
  --host <name>    Address to listen on (default: $HOST or 127.0.0.1)
  --help           Show this help

MODEL=<file> serves another ONNX file that keeps the model contract.
`;

/** A mistake of whoever started the program; it ends with exit code 2. */
class UsageError extends Error {}

interface Options {
  port: number;
  hostname: string;
}

function readOptions(args: string[]): Options {
  let values: { port?: string; host?: string; help?: boolean };
  try {
    ({ values } = parseArgs({
      args,
      options: { port: { type: "string" }, host: { type: "string" }, help: { type: "boolean" } },
    }));
  } catch (error) {
    throw new UsageError(`${(error as Error).message}; --help lists the options`);
  }
  if (values.help) {
    write(Deno.stdout, HELP);
    Deno.exit(0);
  }
  const port = values.port ?? (Deno.env.get("PORT") || "8000");
  if (!/^[0-9]{1,5}$/.test(port) || Number(port) > 65535) {
    throw new UsageError(
      `Cannot serve as the port must be an integer in 0..65535: current value is "${port}"`,
    );
  }
  const hostname = values.host ?? (Deno.env.get("HOST") || "127.0.0.1");
  return { port: Number(port), hostname };
}

async function readModel(): Promise<Uint8Array<ArrayBuffer>> {
  const path = Deno.env.get("MODEL");
  if (!path) return shippedModel;
  try {
    return await Deno.readFile(path);
  } catch (error) {
    throw new UsageError(`Cannot read the model file "${path}": ${(error as Error).message}`);
  }
}

async function loadModel(bytes: Uint8Array<ArrayBuffer>): Promise<Classifier> {
  try {
    return await Classifier.load(bytes);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

async function serve({ port, hostname }: Options): Promise<void> {
  // Loaded first, so that a bad file is refused at the start and the first request is as fast as the next.
  const classifier = await loadModel(await readModel());
  const app = createApp({
    load: () => Promise.resolve(classifier),
    report: (error) => write(Deno.stderr, `${error instanceof Error ? error.stack : error}\n`),
  });
  const { fetch, drain } = drainable((request) => app.fetch(request));
  const server = listen({ port, hostname }, fetch);
  const stop = async (): Promise<void> => {
    // A second signal ends the process at once.
    for (const signal of SIGNALS) Deno.removeSignalListener(signal, stop);
    await drain();
    await server.shutdown();
  };
  for (const signal of SIGNALS) Deno.addSignalListener(signal, stop);
  await server.finished;
}

// Windows has no SIGTERM.
const SIGNALS: Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];

function listen({ port, hostname }: Options, fetch: Deno.ServeHandler): Deno.HttpServer {
  const announce = (address: Deno.NetAddr): void => {
    const host = address.hostname.includes(":") ? `[${address.hostname}]` : address.hostname;
    const url = `http://${host}:${address.port}`;
    write(
      Deno.stdout,
      `Listening on ${url}/\n\n` +
        `  curl ${url}/v1/classify -H 'content-type: image/png' --data-binary @shoe.png\n\n`,
    );
  };
  try {
    return Deno.serve({ port, hostname, onListen: announce }, fetch);
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) {
      throw new UsageError(`Cannot serve as port ${port} of ${hostname} is in use`);
    }
    throw new UsageError(`Cannot serve on port ${port} of "${hostname}": ${(error as Error).message}`);
  }
}

function write(to: { writeSync(bytes: Uint8Array): number }, text: string): void {
  to.writeSync(new TextEncoder().encode(text));
}

try {
  await serve(readOptions(Deno.args));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  write(Deno.stderr, `error: ${error.message}\n`);
  Deno.exit(2);
}
