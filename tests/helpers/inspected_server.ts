/**
 * Starts servers on Deno and on workerd whose memory can be measured.
 *
 * @module
 */
import { bundle, configure, workerdPath } from "../bench/workerd.ts";
import { MAIN, type Server, start } from "../runtimes/deno_server.ts";
import { startProgram } from "./child_program.ts";
import { Inspector } from "./inspector.ts";
import { MEMORY_PATH } from "./memory_counter.ts";

/** Bytes. */
export interface Memory {
  /** What is in use in the isolate after a garbage collection: heap, array buffers, on workerd also WebAssembly. */
  inUse: number;
  /** What the process has in memory; 0 on systems other than Linux. */
  resident: number;
}

/** A server in a process of its own. */
export interface InspectedServer extends AsyncDisposable {
  name: string;
  url: string;
  pid: number;
  /** What it has written so far. */
  output(): string;
  /** Collects the garbage first. */
  memory(): Promise<Memory>;
}

const VARIABLES = { LOG_LEVEL: "error" };

/** `serve/main.ts` on Deno. Threads that decode count in `resident` only. */
export async function startInspectedDeno(): Promise<InspectedServer> {
  const port = freePort();
  const server = await start(["run", `--inspect=127.0.0.1:${port}`, ...MAIN.slice(1), "--port=0"], VARIABLES);
  return await inspect("Deno", server, port, () => Promise.resolve(0));
}

/** The worker that would be deployed, on workerd itself. */
export async function startInspectedWorkerd(): Promise<InspectedServer> {
  const folder = await Deno.makeTempDir();
  const clean = (): Promise<void> => Deno.remove(folder, { recursive: true });
  try {
    const port = freePort(), inspectorPort = freePort();
    const config = await configure(folder, await bundle(folder), {
      port,
      variables: VARIABLES,
      isCounted: true,
    });
    const server = await startWorkerdProcess(config, port, inspectorPort);
    const webAssembly = async (): Promise<number> => {
      const sizes: number[] = await (await fetch(server.url + MEMORY_PATH)).json();
      return sizes.reduce((sum, size) => sum + size, 0);
    };
    const inspected = await inspect("workerd", server, inspectorPort, webAssembly);
    return {
      ...inspected,
      async [Symbol.asyncDispose](): Promise<void> {
        await inspected[Symbol.asyncDispose]();
        await clean();
      },
    };
  } catch (error) {
    await clean();
    throw error;
  }
}

async function inspect(
  name: string,
  { url, pid, output, stop }: Pick<Server, "url" | "pid" | "output" | "stop">,
  port: number,
  webAssembly: () => Promise<number>,
): Promise<InspectedServer> {
  const wake = async (): Promise<void> => void await (await fetch(`${url}/livez`)).text();
  // The isolate exists from its first request on.
  await wake();
  const inspector = await Inspector.connect(port);
  return {
    name,
    url,
    pid,
    output,
    async memory(): Promise<Memory> {
      await inspector.collectGarbage(wake);
      const { heap, buffers } = await inspector.usage();
      return { inUse: heap + buffers + await webAssembly(), resident: await residentBytes(pid) };
    },
    async [Symbol.asyncDispose](): Promise<void> {
      inspector[Symbol.dispose]();
      await stop("SIGKILL");
    },
  };
}

async function startWorkerdProcess(
  config: string,
  port: number,
  inspectorPort: number,
): Promise<Pick<Server, "url" | "pid" | "output" | "stop">> {
  const args = ["serve", `--inspector-addr=127.0.0.1:${inspectorPort}`, config];
  const child = startProgram(workerdPath(), { args });
  const hasEnded = child.ended.then(() => true);
  while (!await isListening(port)) {
    const ended = await Promise.race([hasEnded, new Promise((resolve) => setTimeout(resolve, 20, false))]);
    if (ended) throw new Error(`workerd ended: ${child.output()}`);
  }
  return { url: `http://127.0.0.1:${port}`, ...child };
}

async function isListening(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch {
    return false;
  }
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

async function residentBytes(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`).catch(() => "");
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
}
