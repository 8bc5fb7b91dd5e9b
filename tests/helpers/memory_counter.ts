/**
 * Counts the WebAssembly memories of a worker, which nothing else shows: V8 does not include them in its own figures.
 *
 * @module
 */

/** The path at which a worker with {@linkcode WRAPPER} says the bytes of each. */
export const MEMORY_PATH = "/memory";

/** It is imported first, before the program takes the constructors. */
export const COUNTER = `
export const memories = new Set();
const { Memory, Instance } = WebAssembly;
const known = new WeakSet();
const add = (memory) => {
  if (known.has(memory)) return;
  known.add(memory);
  memories.add(new WeakRef(memory));
};
WebAssembly.Memory = function (descriptor) {
  const memory = new Memory(descriptor);
  add(memory);
  return memory;
};
WebAssembly.Memory.prototype = Memory.prototype;
WebAssembly.Instance = function (module, imports) {
  const instance = new Instance(module, imports);
  for (const value of Object.values(instance.exports)) if (value instanceof Memory) add(value);
  return instance;
};
WebAssembly.Instance.prototype = Instance.prototype;

/** Bytes of each memory that exists. */
export function sizes() {
  const all = [];
  for (const memory of memories) {
    const bytes = memory.deref()?.buffer.byteLength;
    if (bytes === undefined) memories.delete(memory);
    else all.push(bytes);
  }
  return all;
}
`;

/** The entry of a worker with the counter beside \`worker.js\`. */
export const WRAPPER = `
import { sizes } from "./counter.js";
import worker from "./worker.js";
export default {
  fetch(request, env, context) {
    if (new URL(request.url).pathname !== "${MEMORY_PATH}") return worker.fetch(request, env, context);
    return Response.json(sizes());
  },
};
`;
