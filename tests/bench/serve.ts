/**
 * `deno task bench serve`: the server under load, beside its own no-op route and beside FastAPI, in one run.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { drawSilhouette } from "../../shared/silhouettes/silhouettes.ts";
import { print } from "../../train/cli/command.ts";
import { encodePng } from "../helpers/png_encoder.ts";
import { Generator, type Load, type Outcome } from "./load.ts";
import { bundle, configure, workerdPath } from "./workerd.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const MODEL = `${ROOT}shared/artifacts/fashion-mnist/model.onnx`;
const CONNECTIONS = [1, 16, 64];
// Rounds go over all servers in turn, so that a machine that drifts does so for all of them.
const ROUNDS = 3;
const WARM_UP = 1000;
const AMOUNT: Record<number, number> = { 1: 500, 16: 2500, 64: 2500 };

/** The same image in each form that is read. */
function requests(): Record<string, Pick<Load, "body" | "type"> & { path: string }> {
  const pixels = drawSilhouette(9, 1);
  const png = encodePng({
    width: 28,
    height: 28,
    depth: 8,
    colour: 0,
    interlaced: false,
    filters: [1],
    sample: (x, y) => pixels[y * 28 + x]!,
  });
  const path = "/v1/classify?top_k=10";
  return {
    "no-op": { path: "/livez" },
    "bytes": { path, type: "application/octet-stream", body: pixels.toBase64() },
    "JSON": { path, type: "application/json", body: btoa(JSON.stringify({ pixels: [...pixels] })) },
    "PNG": { path, type: "image/png", body: png.toBase64() },
  };
}

interface Peer {
  name: string;
  command: string;
  args: string[];
  env?: Record<string, string>;
}

interface Running extends AsyncDisposable {
  name: string;
  url: string;
  pid: number;
  /** ms from the start of the process to its first answer to an image. */
  startMs: number;
}

/** An outcome, with the CPU time that a request took of the server, in µs, on all its threads. */
type Measured = Outcome & { cpu: number };

export async function benchServe(signal: AbortSignal): Promise<void> {
  print(
    "\nAnswering over HTTP: requests/s, p50 / p99 in ms, and CPU time a request in µs, of the best of",
  );
  print(`${ROUNDS} rounds. Where the machine does other things too, only the last compares well.`);
  const folder = await Deno.makeTempDir();
  try {
    const servers: Running[] = [];
    await using stack = new AsyncDisposableStack();
    for (const make of [wasm, native, workerd, fastapi]) {
      signal.throwIfAborted();
      const peer = await make(folder, freePort());
      if (typeof peer === "string") {
        print(`  ${peer}`);
        continue;
      }
      const server = await start(peer.peer, peer.port).catch((error) => {
        print(`  not measured: ${peer.peer.name}: ${error.message}`);
      });
      if (server) servers.push(stack.use(server));
    }
    print("\n  Start of the process to its first answer, ms (median of 3)");
    for (const server of servers) print(`    ${server.name.padEnd(24)} ${server.startMs.toFixed(0)}`);
    await measure(servers, signal);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function measure(servers: Running[], signal: AbortSignal): Promise<void> {
  await using generator = new Generator();
  const all = requests();
  const send = async (
    server: Running,
    name: string,
    connections: number,
    amount: number,
  ): Promise<Measured> => {
    signal.throwIfAborted();
    const { path, ...request } = all[name]!;
    const before = await cpuMicros(server.pid);
    const outcome = await generator.fire({ ...request, url: server.url + path, connections, amount });
    return { ...outcome, cpu: (await cpuMicros(server.pid) - before) / amount };
  };
  for (const server of servers) for (const name of Object.keys(all)) await send(server, name, 16, WARM_UP);
  const noop = new Map<string, number>();
  for (const name of Object.keys(all)) {
    for (const connections of CONNECTIONS) {
      const outcomes = new Map<Running, Measured[]>(servers.map((server) => [server, []]));
      for (let round = 0; round < ROUNDS; round++) {
        for (const server of servers) {
          outcomes.get(server)!.push(await send(server, name, connections, AMOUNT[connections]!));
        }
      }
      print(`\n  ${name}, ${connections} at a time`);
      // What disturbs a round only slows it.
      const best = (server: Running): Measured =>
        outcomes.get(server)!.reduce((a, b) => a.rate > b.rate ? a : b);
      const peer = servers.find(({ name }) => name === FASTAPI);
      for (const server of servers) {
        const { rate, p50, p99, cpu, failed } = best(server);
        const key = `${server.name} ${connections}`;
        if (name === "no-op") noop.set(key, rate);
        print([
          `    ${server.name.padEnd(22)}`,
          `${Math.round(rate)}`.padStart(7),
          `  ${p50.toFixed(2)} / ${p99.toFixed(2)}`.padEnd(18),
          `${cpu.toFixed(0)}`.padStart(5),
          ...(peer
            ? [
              `  FastAPI × ${(rate / best(peer).rate).toFixed(1)} in rate,`,
              ` × ${(best(peer).cpu / cpu).toFixed(1)} in CPU`,
            ]
            : []),
          ...(name === "no-op" ? [] : [`  ${(100 * rate / noop.get(key)!).toFixed(0)} % of its no-op`]),
          ...(failed > 0 ? [`  ${failed} failed`] : []),
        ].join(""));
      }
    }
  }
}

/** CPU time of a process so far, on Linux; elsewhere NaN. */
async function cpuMicros(pid: number): Promise<number> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`).catch(() => "");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  // utime and stime, in ticks of 10 ms.
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

type Made = { peer: Peer; port: number } | string;

function wasm(_folder: string, port: number): Promise<Made> {
  const args = ["run", "-A", `${ROOT}serve/main.ts`, `--port=${port}`];
  const peer = { name: "Deno, wasm", command: Deno.execPath(), args, env: { LOG_LEVEL: "warn" } };
  return Promise.resolve({ peer, port });
}

async function native(folder: string, port: number): Promise<Made> {
  const made = await wasm(folder, port) as { peer: Peer };
  // Measured where it is in Deno's cache already; nothing is installed for a bench.
  const args = ["run", "--cached-only", "--no-lock", ...made.peer.args.slice(1)];
  return {
    peer: { ...made.peer, name: "Deno, native", args, env: { LOG_LEVEL: "warn", RUNTIME: "native" } },
    port,
  };
}

async function workerd(folder: string, port: number): Promise<Made> {
  const files = await bundle(folder);
  const config = await configure(folder, files, { port, variables: { LOG_LEVEL: "warn" } });
  return { peer: { name: "workerd, wasm", command: workerdPath(), args: ["serve", config] }, port };
}

const FASTAPI = "FastAPI, onnxruntime";

async function fastapi(_folder: string, port: number): Promise<Made> {
  const command = Deno.env.get("PYTHON") || "python3";
  const check = "import fastapi, onnxruntime, uvicorn, PIL";
  const found = await new Deno.Command(command, { args: ["-c", check], stdout: "null", stderr: "null" })
    .output().catch(() => ({ success: false }));
  if (!found.success) return `not measured: ${FASTAPI}: ${command} lacks one of ${check.slice(7)}`;
  const args = [fileURLToPath(new URL("fastapi_server.py", import.meta.url)), MODEL, String(port)];
  return { peer: { name: FASTAPI, command, args }, port };
}

/** Starts a server three times; the last one stays. */
async function start(peer: Peer, port: number): Promise<Running> {
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
    const answered = await Promise.race([firstAnswer(url), child.status.then(() => false)]);
    times.push(performance.now() - began);
    if (!answered) {
      await stop();
      throw new Error(`it did not answer: ${(await errors).trim().split("\n").at(-1)}`);
    }
    if (times.length === 3) {
      const startMs = times.sort((a, b) => a - b)[1]!;
      return { name: peer.name, url, pid: child.pid, startMs, [Symbol.asyncDispose]: stop };
    }
    await stop();
  }
}

/** Asks until there is an answer of ten labels, for a minute at most. */
async function firstAnswer(url: string): Promise<boolean> {
  const { path, type, body } = requests()["bytes"]!;
  const init = { method: "POST", headers: { "content-type": type! }, body: Uint8Array.fromBase64(body!) };
  for (const end = performance.now() + 60_000; performance.now() < end;) {
    try {
      const response = await fetch(url + path, { ...init, signal: AbortSignal.timeout(5000) });
      const { predictions } = await response.json();
      if (response.ok && predictions[0].top.length === 10) return true;
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
