/**
 * Runs a backbone on every core: with onnxruntime-node where it is installed, else with one worker per core and the
 * WebAssembly build.
 *
 * @module
 */
import { INPUT } from "../../shared/contract.ts";
import { scale } from "../../shared/inference/classifier.ts";
import { createNativeSession, NATIVE_PACKAGE } from "../../shared/inference/ort_native.ts";
import { type Backbone, FEATURES } from "./backbone.ts";
import type { FeatureRequest } from "./feature_worker.ts";

/** Maximum number of workers: each has a copy of the network and its activations in memory. */
const MAX_WORKERS = 8;

/** Images per run: activations take memory, and larger batches are not faster. */
export const BATCH = 4;

/** Computes features of batches. */
export interface Runner {
  /** Its name for progress output. */
  name: string;
  /** How many batches it runs at the same time. */
  width: number;
  /** @param pixels `[N, 3, H, W]`, 0..255, with N of at most {@linkcode BATCH}; transferred */
  run(pixels: Uint8Array<ArrayBuffer>): Promise<Float32Array>;
  close(): Promise<void>;
}

/** The fastest available runner. */
export async function createRunner(backbone: Backbone, batches: number): Promise<Runner> {
  return await nativeRunner(backbone) ?? workerRunner(backbone, batches);
}

/** Undefined unless onnxruntime-node is installed and may be loaded. Its 290 MB are only installed on request. */
async function nativeRunner({ bytes, input: { height, width } }: Backbone): Promise<Runner | undefined> {
  const permission = await Deno.permissions.query({ name: "ffi" });
  if (permission.state !== "granted") return undefined;
  const installed = new URL(
    `../../node_modules/.deno/${NATIVE_PACKAGE.replace("npm:", "")}`,
    import.meta.url,
  );
  if (!await Deno.stat(installed).then(() => true, () => false)) return undefined;
  const cores = navigator.hardwareConcurrency;
  const session = await createNativeSession(bytes, cores);
  return {
    name: `onnxruntime-node on ${cores} threads`,
    width: 1,
    run: async (pixels) =>
      (await session.run(INPUT, scale(pixels), dimsOf(pixels, height, width)))[FEATURES]!,
    close: () => session.release(),
  };
}

function workerRunner({ bytes, input: { height, width } }: Backbone, batches: number): Runner {
  const count = Math.max(1, Math.min(navigator.hardwareConcurrency, MAX_WORKERS, batches));
  const workers = Array.from({ length: count }, () => {
    const worker = new Worker(new URL("./feature_worker.ts", import.meta.url), { type: "module" });
    worker.postMessage({ model: bytes, output: FEATURES } satisfies FeatureRequest);
    return worker;
  });
  const idle = [...workers];
  return {
    name: `onnxruntime-web in ${count} ${count === 1 ? "worker" : "workers"}`,
    width: count,
    async run(pixels): Promise<Float32Array> {
      const worker = idle.pop();
      if (!worker) throw new Error(`Cannot run more than ${count} batches at once`);
      const { promise, resolve, reject } = Promise.withResolvers<Float32Array>();
      worker.onmessage = ({ data }: MessageEvent<Float32Array | { error: string }>) =>
        "error" in data ? reject(new Error(`Cannot compute features: ${data.error}`)) : resolve(data);
      worker.onerror = (event) => {
        // An unhandled error of a worker ends the program.
        event.preventDefault();
        reject(new Error(`Cannot compute features as a worker failed: ${event.message}`));
      };
      const request: FeatureRequest = { pixels, dims: dimsOf(pixels, height, width) };
      worker.postMessage(request, [pixels.buffer]);
      return await promise.finally(() => idle.push(worker));
    },
    close(): Promise<void> {
      for (const worker of workers) worker.terminate();
      return Promise.resolve();
    },
  };
}

function dimsOf(pixels: Uint8Array, height: number, width: number): number[] {
  return [pixels.length / (3 * height * width), 3, height, width];
}
