/**
 * `deno task soak`: sends mutated requests to real servers on Deno and on workerd.
 *
 * @module
 */
import { join } from "node:path";
import { print, runCommand } from "../../train/cli/command.ts";
import { choice, type Command, number } from "../../train/cli/options.ts";
import { clearProgress, showProgress } from "../../train/cli/progress.ts";
import {
  type InspectedServer,
  type Memory,
  startInspectedDeno,
  startInspectedWorkerd,
} from "../helpers/inspected_server.ts";
import { FailedShot, soak } from "../helpers/soak.ts";

const MAX_SEED = 2 ** 31 - 1;

const command = {
  name: "deno task soak",
  summary: "Sends mutated requests to servers on Deno and on workerd, and fails if one is not answered well.",
  options: {
    requests: number("Requests to each server", { min: 1000, max: 1e9, whole: true, fallback: "1000000" }),
    seed: number("Makes the same requests again; random by default", { min: 0, max: MAX_SEED, whole: true }),
    runtime: choice(["deno", "workerd"], "The only server to send to; both by default"),
  },
  notes:
    "A request fails if it gets a status of 500 or more, no answer within 30 s, or one in the wrong form.\n" +
    "It is then made smaller and saved. The run also fails if memory is not flat, measured after a garbage\n" +
    "collection: from 10 % of the requests to the end the isolate may grow by 4 MiB, and from 50 % the\n" +
    "process by 64 MiB.",
} satisfies Command;

await runCommand(command, async (values, _, signal) => {
  const requests = values.requests ?? 1_000_000;
  const seed = values.seed ?? crypto.getRandomValues(new Uint32Array(1))[0]! % MAX_SEED;
  print(`${requests} requests to each server, --seed ${seed}`);
  const starts = { deno: startInspectedDeno, workerd: startInspectedWorkerd };
  for (const [name, start] of Object.entries(starts)) {
    if (values.runtime !== undefined && values.runtime !== name) continue;
    await using server = await start();
    await run(server, { requests, seed, signal });
  }
});

async function run(
  server: InspectedServer,
  { requests, seed, signal }: { requests: number; seed: number; signal: AbortSignal },
): Promise<void> {
  const start = performance.now();
  const rate = (done: number): string =>
    `${(done / (performance.now() - start) * 1000).toFixed(0)} requests/s`;
  try {
    const { statuses, memory } = await soak(server, {
      requests,
      seed,
      signal,
      onProgress: (done) => showProgress(server.name, done / requests, rate(done)),
    });
    clearProgress();
    const counts = [...statuses].sort(([a], [b]) => a - b).map(([status, count]) => `${count} × ${status}`);
    print(`${server.name}: ${rate(requests)}, answers ${counts.join(", ")}`);
    print(`  MB in use in the isolate after each 10 %: ${series(memory, "inUse")}`);
    print(`  MB of the process: ${series(memory, "resident")}`);
  } catch (error) {
    clearProgress();
    if (error instanceof FailedShot) print(await save(error, server));
    throw error;
  }
}

function series(memory: Memory[], key: keyof Memory): string {
  return memory.map((each) => (each[key] / 1e6).toFixed(1)).join(", ");
}

/** @returns how to repeat the request */
async function save({ shot, message }: FailedShot, server: InspectedServer): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "soak-" });
  const file = join(folder, "body");
  await Deno.writeFile(file, shot.body);
  await Deno.writeTextFile(join(folder, "server.log"), server.output());
  const headers = { "content-type": shot.type, "inference-header-content-length": shot.jsonLength };
  const options = Object.entries(headers).filter(([, value]) => value !== undefined)
    .map(([name, value]) => `-H '${name}: ${value}' `);
  return `${server.name}: ${message}\n` +
    `To repeat it: curl ${options.join("")}--data-binary @'${file}' 'http://127.0.0.1:8000${shot.path}'`;
}
