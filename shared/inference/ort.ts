/**
 * ONNX Runtime Web on Deno and on workerd, from one source: every platform trick of the project is in
 * this file.
 *
 * workerd refuses to compile WebAssembly from bytes, and ONNX Runtime's public options accept only bytes
 * or URLs. Its loader ends in one call, `WebAssembly.instantiate(new Uint8Array(wasmBinary), imports)`,
 * so it is handed a short marker as `wasmBinary`, and that one call is answered with an instance of the
 * module that the platform has already compiled. Every other call of `WebAssembly.instantiate` passes
 * through. The trick can go once ONNX Runtime takes a `WebAssembly.Module`.
 *
 * @module
 */
import * as ort from "onnxruntime-web/wasm";
import ortWasm from "./ort_wasm.js";
import { adapt, type Session } from "./session.ts";

// ONNX Runtime copies the marker before use, so it is known by its content, not by identity.
const MARKER = new TextEncoder().encode("selvedge: the precompiled ort-wasm-simd-threaded module");

function isMarker(source: unknown): boolean {
  return source instanceof Uint8Array && source.length === MARKER.length &&
    source.every((byte, i) => byte === MARKER[i]);
}

type Instantiate = (source: unknown, imports?: WebAssembly.Imports) => Promise<unknown>;

const instantiate = WebAssembly.instantiate.bind(WebAssembly) as Instantiate;
(WebAssembly as { instantiate: Instantiate }).instantiate = async (source, imports) => {
  if (!isMarker(source)) return await instantiate(source, imports);
  const instance = await instantiate(ortWasm, imports);
  return { instance, module: ortWasm };
};

ort.env.wasm.wasmBinary = MARKER;
// Two threads fail in Deno (no `Worker` from a blob URL with shared memory) and are refused by workerd.
ort.env.wasm.numThreads = 1;
// Warnings about unused initializers and the like are not for the users of an endpoint.
ort.env.logLevel = "error";

/**
 * Creates a session that runs on one thread, the caller's.
 *
 * @param model bytes of an ONNX file
 * @throws {Error} of ONNX Runtime if the bytes are no ONNX model or use an operator that it lacks
 */
export async function createSession(model: Uint8Array): Promise<Session> {
  const session = await ort.InferenceSession.create(model, {
    executionProviders: ["wasm"],
    graphOptimizationLevel: "all",
    intraOpNumThreads: 1,
    // Keeps the process quiet about CPU features that a sandbox hides.
    logSeverityLevel: 3,
  });
  return adapt(session, ort.Tensor);
}

/** A tensor that a model gave. */
export interface NamedTensor {
  name: string;
  dims: readonly number[];
  /** Row-major; absent for anything but float32. */
  data?: Float32Array;
}

/**
 * Runs a model once: to see whether this build of ONNX Runtime can, and what the outputs look like.
 *
 * @param model bytes of an ONNX file
 * @param name of the input
 * @throws {Error} of ONNX Runtime if the bytes are no ONNX model or use an operator that it lacks
 */
export async function runOnce(
  model: Uint8Array,
  name: string,
  data: Float32Array,
  dims: readonly number[],
): Promise<NamedTensor[]> {
  const session = await ort.InferenceSession.create(model, {
    executionProviders: ["wasm"],
    intraOpNumThreads: 1,
    logSeverityLevel: 4,
  });
  try {
    const outputs = await session.run({ [name]: new ort.Tensor("float32", data, dims) });
    return Object.entries(outputs).map(([name, { dims, data, type }]) => ({
      name,
      dims,
      // Copied, as the session's memory goes with it.
      ...(type === "float32" && { data: new Float32Array(data as Float32Array) }),
    }));
  } finally {
    await session.release();
  }
}
