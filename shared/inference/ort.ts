/**
 * ONNX Runtime Web on Deno and on workerd, from one source: every platform trick of the project is in
 * this file.
 *
 * workerd refuses to compile WebAssembly from bytes, and ONNX Runtime's public options accept only bytes
 * or URLs. Its loader ends in one call, `WebAssembly.instantiate(new Uint8Array(wasmBinary), imports)`,
 * so it gets a short marker as `wasmBinary`, and while a session is created, that one call returns an
 * instance of the module that the platform has already compiled. Every other call of `WebAssembly.instantiate`
 * passes through. This workaround can be removed once ONNX Runtime takes a `WebAssembly.Module`.
 *
 * @module
 */
import * as ort from "onnxruntime-web/wasm";
import ortWasm from "./ort_wasm.js";
import { type Session, startSession } from "./session.ts";

// ONNX Runtime copies the marker before use, so it is known by its content, not by identity.
const MARKER = new TextEncoder().encode("selvedge: the precompiled ort-wasm-simd-threaded module");

function isMarker(source: unknown): boolean {
  return source instanceof Uint8Array && source.length === MARKER.length &&
    source.every((byte, i) => byte === MARKER[i]);
}

type Instantiate = (source: unknown, imports?: WebAssembly.Imports) => Promise<unknown>;

const wasm = WebAssembly as unknown as { instantiate: Instantiate };

/** How many sessions are being created: the hook is installed for the first and removed after the last. */
let creating = 0;
let original: Instantiate;

const hook: Instantiate = async (source, imports) => {
  if (!isMarker(source)) return await original.call(WebAssembly, source, imports);
  const instance = await original.call(WebAssembly, ortWasm, imports);
  return { instance, module: ortWasm };
};

/**
 * Creates a session that runs on one thread, the caller's. `WebAssembly.instantiate` is replaced until the session
 * exists.
 *
 * @param model bytes of an ONNX file
 * @throws {Error} of ONNX Runtime if the bytes are not an ONNX model or use an operator that it lacks
 */
export async function createSession(model: Uint8Array): Promise<Session> {
  if (creating++ === 0) {
    original = wasm.instantiate;
    wasm.instantiate = hook;
  }
  try {
    ort.env.wasm.wasmBinary = MARKER;
    return await startSession(ort, model);
  } finally {
    // Other code may have replaced the function in the meantime; its replacement stays.
    if (--creating === 0 && wasm.instantiate === hook) wasm.instantiate = original;
  }
}
