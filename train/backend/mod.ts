/**
 * Selects the device: a WebGPU adapter in hardware, else WebAssembly, else plain JavaScript. On WebAssembly a native
 * BLAS or our own kernel multiplies matrices. GPU errors, which TensorFlow.js ignores, stop the run.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import "@tensorflow/tfjs-backend-webgpu";
import { InputError } from "../../shared/errors.ts";
import { Blas, findBlas } from "./blas/mod.ts";
import { type BackendName, BACKENDS, type GemmName, GEMMS } from "./names.ts";
import { heapMath, useGemm, useNative } from "./gemm/registry.ts";

export { type BackendName, BACKENDS, type GemmName, GEMMS };

/** The device in use. */
export interface Backend {
  /** The TensorFlow.js backend. */
  name: BackendName;
  /** Why this one was selected, as shown in the output. */
  reason: string;
  /** What multiplies matrices, on WASM. */
  gemm?: GemmName;
  /** How many threads a native BLAS uses, if that is known. */
  threads?: number;
  /** Everything that affects the last bits of a result, such as `wasm OpenBLAS 0.3.21 Haswell, 2 threads`. */
  id: string;
  /** A sentence on how to train faster, if there is a way. */
  hint?: string;
  /**
   * To be called after each read of a result.
   *
   * @throws {InputError} `unavailable` if the GPU reported an error or went away: its results are then silently wrong
   */
  check(): void;
}

/**
 * Makes TensorFlow.js use a backend.
 *
 * @param requested `auto` selects the first that is available; a name selects that one or fails
 * @param gemm the same for the matrix multiplication on WASM
 * @param threads number of threads of a native BLAS, by default one per core; our kernel uses one
 * @throws {InputError} `unavailable` if the requested backend is unavailable
 */
export async function useBackend(
  requested: "auto" | BackendName,
  gemm: "auto" | GemmName = "auto",
  threads: number = navigator.hardwareConcurrency,
): Promise<Backend> {
  if (requested === "auto" || requested === "webgpu") {
    const gpu = await useWebGpu(requested === "webgpu");
    if (typeof gpu !== "string") return gpu;
    if (requested === "webgpu") throw new InputError("unavailable", `Cannot train on WebGPU as ${gpu}`);
    const wasm = await useWasm(gpu, gemm, threads);
    if (typeof wasm !== "string") return wasm;
    return await useCpu(`${gpu}, and ${wasm}`);
  }
  if (requested === "cpu") return await useCpu("asked for");
  const wasm = await useWasm("asked for", gemm, threads);
  if (typeof wasm === "string") throw new InputError("unavailable", `Cannot train on WASM as ${wasm}`);
  return wasm;
}

/** Returns the reason if there is no usable adapter. */
async function useWebGpu(askedFor: boolean): Promise<Backend | string> {
  // tfjs-backend-webgpu fails on a missing adapter with a TypeError about `features`, so look first.
  const adapter = await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) return "no WebGPU adapter was found";
  const { description, vendor, isFallbackAdapter } = adapter.info as GPUAdapterInfo & {
    isFallbackAdapter?: boolean;
  };
  const device = description || vendor || "unnamed";
  if (isFallbackAdapter && !askedFor) {
    return `the only WebGPU adapter is a software one (${device}), slower than WASM`;
  }
  if (!await tf.setBackend("webgpu")) return `TensorFlow.js could not start on ${device}`;
  await tf.ready();

  let failure: string | undefined;
  const gpuError = (reason: string): InputError =>
    new InputError("unavailable", `Cannot continue on the GPU (${device}) as ${reason}`, {
      hint: "Continue after the last full epoch with --resume, or train on the CPU with --backend wasm",
    });
  const backend = tf.backend() as unknown as {
    device: GPUDevice;
    read(dataId: object): Promise<unknown>;
    uploadToGPU(dataId: object): void;
  };
  const gpu = backend.device;
  gpu.addEventListener("uncapturederror", (event) => {
    const { error } = event as Event & { error: { message: string } };
    failure ??= `it reported: ${error.message}`;
  });
  gpu.lost.then(({ message, reason }) => failure ??= `it was lost: ${message || reason}`);
  const check = (): void => {
    if (failure !== undefined) throw gpuError(failure);
  };
  // If the device is lost, uploads and reads fail with errors about a buffer: report the loss instead.
  const explain = (error: unknown): never => {
    check();
    throw gpuError(`it failed: ${(error as Error).message}`);
  };
  const { read, uploadToGPU } = Object.getPrototypeOf(backend) as typeof backend;
  backend.uploadToGPU = (dataId): void => {
    try {
      uploadToGPU.call(backend, dataId);
    } catch (error) {
      explain(error);
    }
  };
  backend.read = async (dataId): Promise<unknown> => {
    try {
      return await read.call(backend, dataId);
    } catch (error) {
      // The event with the reason arrives later.
      await new Promise((resolve) => setTimeout(resolve, 100));
      return explain(error);
    }
  };
  return {
    name: "webgpu",
    id: "webgpu",
    reason: `${askedFor ? "asked for" : "a WebGPU adapter was found"}: ${device}`,
    check,
  };
}

async function useWasm(
  reason: string,
  requested: "auto" | GemmName,
  threads: number,
): Promise<Backend | string> {
  const file = "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm";
  setWasmPaths(new URL(".", import.meta.resolve(file)).href);
  try {
    if (!await tf.setBackend("wasm")) return "the WASM backend could not start";
  } catch (error) {
    return `the WASM backend could not start: ${(error as Error).message}`;
  }
  const build = useGemm(requested === "native" ? "auto" : requested);
  useNative(undefined);
  const check = (): void => {};
  const kernel = `our kernel with ${
    build === "simd" ? "plain" : "relaxed"
  } SIMD multiplies matrices on one thread`;
  const ours = { name: "wasm", gemm: build, id: `wasm ${build}`, check } as const;
  if (requested === "relaxed" || requested === "simd") return { ...ours, reason: `${reason}; ${kernel}` };
  const blas = findBlas(threads, heapMath());
  if (blas instanceof Blas) {
    useNative(blas);
    const used = blas.threads;
    const on = used === undefined ? "" : used === 1 ? "1 thread" : `${used} threads`;
    return {
      name: "wasm",
      reason: `${reason}; ${blas.name} multiplies matrices${on && ` on ${on}`}`,
      gemm: "native",
      id: ["wasm " + blas.name, on].filter(Boolean).join(", "),
      ...(used !== undefined && { threads: used }),
      check,
    };
  }
  if (requested === "native") {
    throw new InputError("unavailable", `Cannot multiply natively as ${blas.reason}`, { hint: blas.hint });
  }
  return { ...ours, reason: `${reason}; ${kernel}, as ${blas.reason}`, hint: blas.hint };
}

async function useCpu(reason: string): Promise<Backend> {
  await tf.setBackend("cpu");
  return { name: "cpu", id: "cpu", reason, check(): void {} };
}
