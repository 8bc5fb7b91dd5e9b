/**
 * The servers that the benches compare: this project's on Deno and on workerd, and FastAPI's with the same model.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import project from "../../deno.json" with { type: "json" };
import { NATIVE_PACKAGE } from "../../shared/inference/ort_native.ts";
import { SHIPPED_MODEL } from "../../shared/models.ts";
import { print } from "../../train/cli/command.ts";
import { bundle, configure, workerdPath } from "./workerd.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

interface Peer {
  name: string;
  command: string;
  args: string[];
  env?: Record<string, string>;
  inspectorPort?: number;
}

/** A server that has answered. */
export interface Running extends AsyncDisposable {
  name: string;
  url: string;
  pid: number;
  /** ms from the start of the process to its first answer to an image. */
  startMs: number;
  /** The port of its inspector, if it has one. */
  inspectorPort?: number;
}

interface FirstRequest {
  path: string;
  type: string;
  body: Uint8Array<ArrayBuffer>;
}

interface Setting {
  /** Path of an ONNX file. */
  model: string;
  /** An empty folder for workerd's bundle. */
  folder: string;
  /** What is asked at the start. */
  first: FirstRequest;
  /** Which servers, all by default. */
  only?: (keyof typeof MAKERS)[];
  /** Whether the memory of workerd's isolate can be measured. */
  isInspected?: boolean;
}

/** The servers, in the order in which they are measured. */
const MAKERS = { wasm, workers, native, workerd, fastapi };

/** Starts every server that this machine has the programs for; of the others it prints why not. */
export async function startServers(
  setting: Setting,
  stack: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<Running[]> {
  const servers: Running[] = [];
  for (const name of setting.only ?? Object.keys(MAKERS) as (keyof typeof MAKERS)[]) {
    signal.throwIfAborted();
    const made = await MAKERS[name](setting, freePort());
    if (typeof made === "string") {
      print(`  ${made}`);
      continue;
    }
    const server = await start(made.peer, made.port, setting.first).catch((error) => {
      print(`  not measured: ${made.peer.name}: ${error.message}`);
    });
    if (server) servers.push(stack.use(server));
  }
  return servers;
}

/** CPU time of a process so far, on Linux; elsewhere NaN. */
export async function cpuMicros(pid: number): Promise<number> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`).catch(() => "");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  // utime and stime, in ticks of 10 ms.
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

type Made = { peer: Peer; port: number } | string;

function wasm({ model }: Setting, port: number): Promise<Made> {
  const [, tunables, flags] = /^GLIBC_TUNABLES=(\S+) deno run (--v8-flags=\S+)/.exec(
    project.tasks.serve.command,
  )!;
  const args = ["run", flags!, "-A", `${ROOT}serve/main.ts`, `--port=${port}`];
  const env = {
    GLIBC_TUNABLES: tunables!,
    LOG_LEVEL: "error",
    // As users start it, who name no model.
    ...(model !== SHIPPED_MODEL && { MODEL: model }),
    CLIENT_ADDRESS_HEADER: "x-forwarded-for",
  };
  return Promise.resolve({ peer: { name: "Deno, wasm", command: Deno.execPath(), args, env }, port });
}

/** The same with one thread per core. */
async function workers(setting: Setting, port: number): Promise<Made> {
  const count = navigator.hardwareConcurrency;
  const { peer } = await wasm(setting, port) as { peer: Peer };
  const env = { ...peer.env, WORKERS: String(count) };
  return { peer: { ...peer, name: `Deno, wasm, ${count} workers`, env }, port };
}

async function native(setting: Setting, port: number): Promise<Made> {
  const { peer } = await wasm(setting, port) as { peer: Peer };
  // Measured where it is in Deno's cache already; nothing is installed for a bench.
  const cached = ["--cached-only", `--lock=${ROOT}serve/native.lock`, "--frozen", "--node-modules-dir=none"];
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", ...cached, `await import("${NATIVE_PACKAGE}")`],
    stdout: "null",
    stderr: "null",
  }).output();
  if (!success) return "not measured: Deno, native: deno task serve:native installs onnxruntime-node first";
  const args = ["run", ...cached, ...peer.args.slice(1)];
  return { peer: { ...peer, name: "Deno, native", args, env: { ...peer.env, RUNTIME: "native" } }, port };
}

async function workerd({ model, folder, isInspected = false }: Setting, port: number): Promise<Made> {
  const files = await bundle(folder, model);
  const variables = { LOG_LEVEL: "error" };
  const config = await configure(folder, files, { port, variables, isCounted: isInspected });
  const peer = { name: "workerd, wasm", command: workerdPath(), args: ["serve", config] };
  if (!isInspected) return { peer, port };
  const inspectorPort = freePort();
  const args = ["serve", `--inspector-addr=127.0.0.1:${inspectorPort}`, config];
  return { peer: { ...peer, args, inspectorPort }, port };
}

/** The name of the peer in Python. */
export const FASTAPI = "FastAPI, onnxruntime";

async function fastapi({ model }: Setting, port: number): Promise<Made> {
  const command = Deno.env.get("PYTHON") || "python3";
  const check = "import fastapi, onnxruntime, uvicorn, PIL";
  const found = await new Deno.Command(command, { args: ["-c", check], stdout: "null", stderr: "null" })
    .output().catch(() => ({ success: false }));
  if (!found.success) return `not measured: ${FASTAPI}: ${command} lacks one of ${check.slice(7)}`;
  const args = [fileURLToPath(new URL("fastapi_server.py", import.meta.url)), model, String(port)];
  return { peer: { name: FASTAPI, command, args }, port };
}

/** Starts a server three times; the last one stays. */
async function start(peer: Peer, port: number, first: FirstRequest): Promise<Running> {
  const times: number[] = [];
  for (;;) {
    const began = performance.now();
    const child = new Deno.Command(peer.command, {
      args: peer.args,
      cwd: ROOT,
      env: { ...peer.env },
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const errors = new Response(child.stderr).text();
    const stop = async (): Promise<void> => {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended already.
      }
      await child.status;
    };
    const url = `http://127.0.0.1:${port}`;
    const answered = await Promise.race([firstAnswer(url, first), child.status.then(() => false)]);
    times.push(performance.now() - began);
    if (!answered) {
      await stop();
      throw new Error(`it did not answer: ${(await errors).trim().split("\n").at(-1)}`);
    }
    if (times.length === 3) {
      const startMs = times.sort((a, b) => a - b)[1]!;
      const { name, inspectorPort } = peer;
      const running = { name, url, pid: child.pid, startMs, [Symbol.asyncDispose]: stop };
      return inspectorPort === undefined ? running : { ...running, inspectorPort };
    }
    await stop();
  }
}

/** Asks until there is an answer with labels, for a minute at most. */
async function firstAnswer(url: string, { path, type, body }: FirstRequest): Promise<boolean> {
  const init = { method: "POST", headers: { "content-type": type }, body };
  for (const end = performance.now() + 60_000; performance.now() < end;) {
    try {
      const response = await fetch(url + path, { ...init, signal: AbortSignal.timeout(5000) });
      const { predictions } = await response.json();
      if (response.ok && predictions[0].top.length > 1) return true;
    } catch {
      // It does not listen yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return false;
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
