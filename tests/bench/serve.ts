/**
 * `deno task bench serve`: the server under load, beside its own no-op route and beside FastAPI, in one run.
 *
 * @module
 */
import { SHIPPED_MODEL } from "../../shared/models.ts";
import { drawSilhouette } from "../../shared/silhouettes/silhouettes.ts";
import { print } from "../../train/cli/command.ts";
import { encodePng } from "../helpers/png_encoder.ts";
import { type Load, type Outcome, startGenerator } from "./load.ts";
import { cpuMicros, FASTAPI, type Running, startServers } from "./servers.ts";

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

/** An outcome, with the CPU time that a request took of the server, in µs, on all its threads. */
type Measured = Outcome & { cpu: number };

export async function benchServe(signal: AbortSignal): Promise<void> {
  print(
    "\nAnswering over HTTP: requests/s, p50 / p99 in ms, and CPU time a request in µs, of the best of",
  );
  print(`${ROUNDS} rounds. Where the machine does other things too, only the last compares well.`);
  const folder = await Deno.makeTempDir();
  try {
    await using stack = new AsyncDisposableStack();
    const { path, type, body } = requests()["bytes"]!;
    const first = { path, type: type!, body: Uint8Array.fromBase64(body!) };
    const servers = await startServers({ model: SHIPPED_MODEL, folder, first }, stack, signal);
    print("\n  Start of the process to its first answer, ms (median of 3)");
    for (const server of servers) print(`    ${server.name.padEnd(24)} ${server.startMs.toFixed(0)}`);
    await measure(servers, signal);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function measure(servers: Running[], signal: AbortSignal): Promise<void> {
  await using generator = startGenerator();
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
    const outcome = await generator.ask({ ...request, url: server.url + path, connections, amount });
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
