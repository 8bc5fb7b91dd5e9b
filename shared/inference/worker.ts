/**
 * To be imported before `ort.ts` in a worker of Deno. ONNX Runtime Web resolves its own address against
 * `location.origin`, which in a worker of a local file is the string "null", and fails with "Invalid URL". Where
 * there is no `location`, as on Deno's main thread, it takes the address as it is. This can go once ONNX Runtime
 * checks the origin (`lib/wasm/wasm-utils-import.ts`, seen in 1.30.0).
 *
 * @module
 */
// Writable, as the image decoders assign to it.
Object.defineProperty(globalThis, "location", { value: undefined, configurable: true, writable: true });
