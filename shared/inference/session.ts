/**
 * What a classifier needs of ONNX Runtime, whichever build of it runs: `ort.ts` has the WebAssembly one, which
 * works everywhere, and `ort_native.ts` the one of Node-API, which is faster and large. Both share ONNX
 * Runtime's own JavaScript classes, so one adapter fits them.
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
  /** Frees the memory; the session cannot be used afterwards. */
  release(): Promise<void>;
}

/** Loads a model. */
export type CreateSession = (model: Uint8Array) => Promise<Session>;

/** Fits a session of either build. */
export function adapt(session: InferenceSession, TensorClass: typeof Tensor): Session {
  return {
    async run(name, data, dims): Promise<Record<string, Float32Array>> {
      const outputs = await session.run({ [name]: new TensorClass("float32", data, dims) });
      const arrays: Record<string, Float32Array> = {};
      for (const name in outputs) arrays[name] = outputs[name]!.data as Float32Array;
      return arrays;
    },
    release: () => session.release(),
  };
}
