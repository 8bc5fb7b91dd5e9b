/**
 * The WebAssembly memories of a worker's isolate on workerd, which count in Cloudflare's limit of 128 MB. workerd does not
 * enforce it itself.
 *
 * @module
 */
import { join } from "node:path";
import { writeEntry } from "../../serve/deploy/entry.ts";
import { COUNTER, MEMORY_PATH, WRAPPER } from "../helpers/memory_counter.ts";
import { startWorkerd } from "../runtimes/workerd_server.ts";

/** Classifies each file a few times, and says what the WebAssembly memories then are, in MB. */
export async function isolateMemory(model: string, files: Uint8Array<ArrayBuffer>[]): Promise<string> {
  const bytes = await Deno.readFile(model);
  await using entry = await writeEntry(bytes);
  const folder = join(entry.path, "..");
  await Deno.writeTextFile(join(folder, "counter.js"), COUNTER);
  await Deno.writeTextFile(join(folder, "wrapper.js"), WRAPPER);
  await using server = await startWorkerd({ own: { bindings: { main: join(folder, "wrapper.js") } } });
  const { send } = server.workers["own"]!;
  for (const body of files) {
    for (let i = 0; i < 5; i++) {
      const response = await send("/v1/classify", {
        method: "POST",
        headers: { "content-type": "image/jpeg" },
        body,
      });
      if (!response.ok) throw new Error(await response.text());
      await response.body?.cancel();
    }
  }
  const memories: number[] = await (await send(MEMORY_PATH)).json();
  const mb = (value: number): string => (value / 1e6).toFixed(1);
  const wasm = memories.reduce((sum, size) => sum + size, 0);
  const largest = Math.max(...files.map(({ length }) => length));
  return `${mb(wasm)} WebAssembly (${memories.map(mb).join(" + ")}), ${mb(bytes.length)} the file, ` +
    `${mb(largest)} the largest body`;
}
