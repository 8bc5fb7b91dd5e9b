/**
 * The memory of a worker's isolate on workerd, by what Cloudflare counts: the JavaScript heap, array buffers and
 * WebAssembly memories. workerd does not enforce the limit of 128 MB itself.
 *
 * @module
 */
import { join } from "node:path";
import { writeEntry } from "../../serve/deploy/entry.ts";
import { startWorkerd } from "../runtimes/workerd_server.ts";

/**
 * Wraps the worker, and counts WebAssembly memories, which nothing else shows. It is imported first, before the
 * program takes the constructors.
 */
const COUNTER = `
export const memories = [];
const { Memory, Instance } = WebAssembly;
WebAssembly.Memory = function (descriptor) {
  const memory = new Memory(descriptor);
  memories.push(new WeakRef(memory));
  return memory;
};
WebAssembly.Memory.prototype = Memory.prototype;
WebAssembly.Instance = function (module, imports) {
  const instance = new Instance(module, imports);
  for (const value of Object.values(instance.exports)) {
    if (value instanceof Memory) memories.push(new WeakRef(value));
  }
  return instance;
};
WebAssembly.Instance.prototype = Instance.prototype;
`;

const WRAPPER = `
import { memories } from "./counter.js";
import worker from "./worker.js";
export default {
  fetch(request, env, context) {
    if (new URL(request.url).pathname !== "/memory") return worker.fetch(request, env, context);
    return Response.json(memories.map((memory) => memory.deref()?.buffer.byteLength ?? 0));
  },
};
`;

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
  const memories: number[] = await (await send("/memory")).json();
  const mb = (value: number): string => (value / 1e6).toFixed(1);
  const wasm = memories.reduce((sum, size) => sum + size, 0);
  const largest = Math.max(...files.map(({ length }) => length));
  return `${mb(wasm)} WebAssembly (${memories.map(mb).join(" + ")}), ${mb(bytes.length)} the file, ` +
    `${mb(largest)} the largest body`;
}
