/**
 * The interface of ONNX Runtime that a classifier needs, for every build: `ort.ts` has the WebAssembly one, which works
 * everywhere, and `ort_native.ts` the one of Node-API, which is faster and large. Both share ONNX Runtime's own
 * JavaScript classes, so one adapter fits them.
 *
 * @module
 */
import type { InferenceSession, Tensor } from "onnxruntime-web/wasm";

/** A loaded model. */
export interface Session {
  /**
   * Runs a batch.
   *
   * @param name of the input
   * @param data row-major; it must not change until the promise is settled
   * @param dims shape of `data`
   * @returns the outputs by name, row-major
   */
  run(name: string, data: Float32Array, dims: number[]): Promise<Record<string, Float32Array>>;
  /**
   * Runs a batch for the shapes of the outputs.
   *
   * @returns the dimensions of the float32 outputs by name
   */
  shapes(name: string, data: Float32Array, dims: number[]): Promise<Map<string, readonly number[]>>;
  /** Frees the memory; the session cannot be used afterwards. */
  release(): Promise<void>;
}

/** The module of ONNX Runtime Web. */
export type OrtWeb = typeof import("onnxruntime-web/wasm");

/** Loads a model. */
export type CreateSession = (model: Uint8Array) => Promise<Session>;

/**
 * Creates a session of ONNX Runtime Web that runs on one thread, the caller's.
 *
 * @param model bytes of an ONNX file
 * @throws {Error} of ONNX Runtime if the bytes are not an ONNX model or use an operator that it lacks
 */
export async function startSession(ort: OrtWeb, model: Uint8Array): Promise<Session> {
  // Two threads fail in Deno (no `Worker` from a blob URL with shared memory) and are refused by workerd.
  ort.env.wasm.numThreads = 1;
  // Warnings, for example about unused initializers, do not concern the users of an endpoint.
  ort.env.logLevel = "error";
  const session = await ort.InferenceSession.create(model, {
    executionProviders: ["wasm"],
    graphOptimizationLevel: "all",
    intraOpNumThreads: 1,
    // Keeps the process quiet about CPU features that a sandbox hides.
    logSeverityLevel: 3,
  });
  const { run, shapes, release } = adapt(session, ort.Tensor);
  return {
    run: (...inputs) => alone(() => run(...inputs)),
    shapes: (...inputs) => alone(() => shapes(...inputs)),
    // Not while it runs, which would use memory that is free.
    release: () => alone(release),
  };
}

/** Whether a session runs. */
let isRunning = false;

/**
 * Runs when no other session does. All sessions share one WebAssembly instance, and ONNX Runtime Web keeps the arguments
 * of a run on its stack across `await`: runs that overlap overwrite each other's, and crash or give wrong results. A run
 * ends before the event loop turns.
 */
async function alone<T>(run: () => Promise<T>): Promise<T> {
  while (isRunning) await new Promise((resolve) => setTimeout(resolve));
  isRunning = true;
  try {
    return await run();
  } finally {
    isRunning = false;
  }
}

/** Fits a session of either build. */
export function adapt(session: InferenceSession, TensorClass: typeof Tensor): Session {
  return {
    async run(name, data, dims): Promise<Record<string, Float32Array>> {
      const outputs = await session.run({ [name]: new TensorClass("float32", data, dims) });
      const arrays: Record<string, Float32Array> = {};
      for (const name in outputs) arrays[name] = outputs[name]!.data as Float32Array;
      return arrays;
    },
    async shapes(name, data, dims): Promise<Map<string, readonly number[]>> {
      const outputs = await session.run({ [name]: new TensorClass("float32", data, dims) });
      const shapes = new Map<string, readonly number[]>();
      for (const [name, { dims, type }] of Object.entries(outputs)) {
        if (type === "float32") shapes.set(name, dims);
      }
      return shapes;
    },
    release: () => session.release(),
  };
}
