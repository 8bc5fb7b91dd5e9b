/**
 * The most memory that a server has while something runs.
 *
 * @module
 */
import { type HeapUsage, Inspector } from "../helpers/inspector.ts";
import { MEMORY_PATH } from "../helpers/memory_counter.ts";
import type { Running } from "./servers.ts";

/** Between two looks at the isolate, in ms. */
const INTERVAL_MS = 20;

/** Bytes of an isolate, by what Cloudflare counts. */
interface IsolateUsage extends HeapUsage {
  webAssembly: number;
}

/** The process's peak comes from Linux; that of an isolate is looked for, and may be missed while it is blocked. */
export class PeakMemory implements AsyncDisposable {
  readonly #server: Running;
  readonly #inspector: Inspector | undefined;
  #peak: IsolateUsage = { heap: 0, buffers: 0, webAssembly: 0 };
  #isOver = false;
  readonly #watching: Promise<void>;

  private constructor(server: Running, inspector: Inspector | undefined) {
    this.#server = server;
    this.#inspector = inspector;
    this.#watching = this.#watch();
  }

  /** Starts to look. */
  static async start(server: Running): Promise<PeakMemory> {
    // Resets the peak that Linux records; on other systems none is measured.
    await Deno.writeTextFile(`/proc/${server.pid}/clear_refs`, "5").catch(() => {});
    const port = server.inspectorPort;
    return new PeakMemory(server, port === undefined ? undefined : await Inspector.connect(port));
  }

  /** In MB: the process, and the isolate with its parts. */
  async describe(): Promise<string> {
    const status = await Deno.readTextFile(`/proc/${this.#server.pid}/status`).catch(() => "");
    const [, kb] = /^VmHWM:\s+([0-9]+) kB/m.exec(status) ?? [];
    const process = kb === undefined ? "–" : (Number(kb) / 1000).toFixed(0);
    if (!this.#inspector) return process;
    const { heap, buffers, webAssembly } = this.#peak;
    const mb = (bytes: number): string => (bytes / 1e6).toFixed(0);
    return `${process}, isolate ${mb(total(this.#peak))} (${mb(heap)} + ${mb(buffers)} + ${mb(webAssembly)})`;
  }

  async #watch(): Promise<void> {
    if (!this.#inspector) return;
    while (!this.#isOver) {
      const sizes: number[] = await (await fetch(this.#server.url + MEMORY_PATH)).json();
      const usage = {
        ...await this.#inspector.usage(),
        webAssembly: sizes.reduce((sum, size) => sum + size, 0),
      };
      if (total(usage) > total(this.#peak)) this.#peak = usage;
      await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await this.#watching;
    this.#inspector?.[Symbol.dispose]();
  }
}

function total({ heap, buffers, webAssembly }: IsolateUsage): number {
  return heap + buffers + webAssembly;
}
