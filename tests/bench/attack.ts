/**
 * `deno task bench attack`: how long small requests of one client wait while another sends what takes long, and how
 * much memory the server needs meanwhile.
 *
 * @module
 */
import { SHIPPED_MODEL } from "../../shared/models.ts";
import { drawSilhouette } from "../../shared/silhouettes/silhouettes.ts";
import { print } from "../../train/cli/command.ts";
import { type Orders, type Report, startClient } from "./attack_load.ts";
import type { LineProgram } from "./line_program.ts";
import { costliestFiles, costlyJpeg, costlyPng, costlyWebp, form } from "./costly_pictures.ts";
import { PeakMemory } from "./peak_memory.ts";
import { type Running, startServers } from "./servers.ts";

/** In ms. The small requests start when the load has reached its limits. */
const HEAD_START_MS = 1000;

interface Attack {
  name: string;
  connections: number;
  /** Programs that compute on the same machine: what small requests wait for them is the floor of all figures. */
  busyPrograms?: number;
  type: string;
  body: Uint8Array<ArrayBuffer>;
}

const BYTES = "application/octet-stream";

/** All are within the default limits. */
async function attacks(): Promise<Attack[]> {
  const jpeg = await costlyJpeg({
    size: { width: 1448, height: 1448 },
    noise: 0.1,
    quality: 85,
    progressive: false,
    subsampling: 1,
  });
  const png = costlyPng({ size: { width: 1100, height: 1100 }, format: [2, 16], filter: 4, noise: 1 });
  const line = costlyPng({ size: { width: 2_097_152, height: 1 }, format: [6, 16], filter: 4, noise: 0 });
  const quarter = costlyPng({ size: { width: 550, height: 550 }, format: [2, 16], filter: 4, noise: 1 });
  const costliest = await costliestFiles();
  // As large as a telephone's.
  const telephone = await costlyJpeg({
    size: { width: 4032, height: 3024 },
    noise: 0.36,
    quality: 90,
    progressive: false,
    subsampling: 2,
  });
  const webp = await costlyWebp({
    size: { width: 1448, height: 1448 },
    noise: 0.35,
    quality: 90,
  });
  const raw = new Uint8Array(256 * 784).map((_, i) => i * i % 251);
  const numbers = new TextEncoder().encode(
    JSON.stringify({
      images: Array.from({ length: 256 }, () => Array.from({ length: 784 }, (_, i) => i / 3.1)),
    }),
  );
  return [
    { name: "nothing", connections: 0, type: BYTES, body: raw },
    { name: "nothing, beside busy programs", connections: 0, busyPrograms: 3, type: BYTES, body: raw },
    { name: "one 2 Mpx JPEG at a time", connections: 1, type: "image/jpeg", body: jpeg },
    { name: "64 such JPEGs at a time", connections: 64, type: "image/jpeg", body: jpeg },
    { name: "64 × 256 raw images", connections: 64, type: BYTES, body: raw },
    { name: "64 × 256 images as JSON", connections: 64, type: "application/json", body: numbers },
    { name: "64 × 16-bit PNG of noise", connections: 64, type: "image/png", body: png },
    { name: "64 forms of four 16-bit PNGs", connections: 64, ...form([quarter, quarter, quarter, quarter]) },
    { name: "one form of four PNGs of one line", connections: 1, ...form([line, line, line, line]) },
    { name: "64 such forms", connections: 64, ...form([line, line, line, line]) },
    { name: "64 × 12 Mpx JPEG", connections: 64, type: "image/jpeg", body: telephone },
    { name: "64 × 2 Mpx WebP", connections: 64, type: "image/webp", body: webp },
    { name: "64 × costliest PNG", connections: 64, type: "image/png", body: costliest.png },
    { name: "64 × costliest JPEG", connections: 64, type: "image/jpeg", body: costliest.jpeg },
    { name: "64 × costliest WebP", connections: 64, type: "image/webp", body: costliest.webp },
  ];
}

/**
 * @param filter a part of the names of the loads that are measured
 * @param seconds how long small requests are sent under each load
 */
export async function benchAttack(filter: string, seconds: number, signal: AbortSignal): Promise<void> {
  print(
    "\nA small request of another client meanwhile, p50 / p99 in ms; what the load got; peak memory in MB\n" +
      "of the process, on workerd also of the isolate (heap + array buffers + WebAssembly)",
  );
  const folder = await Deno.makeTempDir();
  try {
    await using stack = new AsyncDisposableStack();
    const pixels = drawSilhouette(9, 1);
    const first = { path: "/v1/classify?top_k=10", type: BYTES, body: pixels };
    const servers = await startServers(
      { model: SHIPPED_MODEL, folder, first, only: ["wasm", "workerd"], isInspected: true },
      stack,
      signal,
    );
    const loader = stack.use(startClient()), small = stack.use(startClient());
    for (const { name, ...attack } of (await attacks()).filter(({ name }) => name.includes(filter))) {
      print(`\n  ${name}, ${(attack.body.length / 1e6).toFixed(2)} MB`);
      for (const server of servers) {
        signal.throwIfAborted();
        const figures = await measure(server, attack, pixels, 1000 * seconds, loader, small);
        print(`    ${server.name.padEnd(16)}${figures}`);
      }
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function measure(
  server: Running,
  { connections, busyPrograms = 0, type, body }: Omit<Attack, "name">,
  pixels: Uint8Array,
  ms: number,
  loader: LineProgram<Orders, Report>,
  small: LineProgram<Orders, Report>,
): Promise<string> {
  const path = `${server.url}/v1/classify`;
  using busy = new DisposableStack();
  for (let i = 0; i < busyPrograms; i++) {
    const program = new Deno.Command(Deno.execPath(), { args: ["eval", "while (true);"] }).spawn();
    busy.defer(() => program.kill("SIGKILL"));
  }
  await using peak = await PeakMemory.start(server);
  const load = loader.ask({
    url: path,
    type,
    body: body.toBase64(),
    connections,
    address: "192.0.2.1",
    ms: HEAD_START_MS + ms,
    pauseMs: 0,
  });
  await new Promise((resolve) => setTimeout(resolve, HEAD_START_MS));
  const { latencies, statuses } = await small.ask({
    url: path,
    type: BYTES,
    body: pixels.toBase64(),
    connections: 1,
    address: "192.0.2.2",
    ms,
    pauseMs: 2,
  });
  const quantile = (q: number): string =>
    latencies[Math.floor(q * (latencies.length - 1))]?.toFixed(1) ?? "–";
  const others = Object.entries(statuses).filter(([status]) => status !== "200");
  return [
    `${quantile(0.5)} / ${quantile(0.99)}`.padEnd(18),
    `of ${latencies.length}${others.map(([status, count]) => `, ${count} × ${status}`).join("")}`.padEnd(12),
    outcome(await load).padEnd(36),
    await peak.describe(),
  ].join("  ");
}

function outcome({ statuses, unadvised }: Report): string {
  const counts = Object.entries(statuses).map(([status, count]) =>
    `${count} × ${status === "0" ? "none" : status}`
  );
  return counts.join(", ") + (unadvised > 0 ? `, ${unadvised} without retry-after` : "");
}
