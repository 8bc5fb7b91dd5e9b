/**
 * Picks the device: a real WebGPU adapter, else WebAssembly, else plain JavaScript. It also closes the
 * traps of each: a missing adapter, silent GPU errors, and the slow transposed product of WASM.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import "@tensorflow/tfjs-backend-webgpu";
import { removeGemm, removeSecondThread, useGemm, useSecondThread } from "./gemm/mod.ts";
import { mendMatMul } from "./wasm_matmul.ts";

/** The TensorFlow.js backends that the project trains on, best first. */
export const BACKENDS = ["webgpu", "wasm", "cpu"] as const;
/** One of {@linkcode BACKENDS}. */
export type BackendName = typeof BACKENDS[number];

/** Who multiplies matrices on WASM: our own kernel in two builds, or TensorFlow.js's, mended. */
export const GEMMS = ["relaxed", "simd", "tfjs"] as const;
/** One of {@linkcode GEMMS}. */
export type GemmName = typeof GEMMS[number];

/** The device in use. */
export interface Backend {
  /** The TensorFlow.js backend. */
  name: BackendName;
  /** Why this one, for people. */
  reason: string;
  /** Who multiplies matrices, on WASM. */
  gemm?: GemmName;
  /**
   * To be called after each read of a result.
   *
   * @throws {Error} if the GPU reported an error or went away: its results are then silently wrong
   */
  check(): void;
}

/**
 * Makes TensorFlow.js use a backend.
 *
 * @param requested `auto` takes the first that is there; a name takes that one or fails
 * @param gemm the same, for who multiplies matrices if it is WASM
 * @param threads 2 for a second thread where our kernel multiplies with relaxed SIMD
 * @throws {Error} if the requested backend cannot be had
 */
export async function useBackend(
  requested: "auto" | BackendName,
  gemm: "auto" | GemmName = "auto",
  threads: 1 | 2 = 1,
): Promise<Backend> {
  if (requested === "auto" || requested === "webgpu") {
    const gpu = await useWebGpu(requested === "webgpu");
    if (typeof gpu !== "string") return gpu;
    if (requested === "webgpu") throw new Error(`Cannot train on WebGPU as ${gpu}`);
    const wasm = await useWasm(gpu, gemm, threads);
    if (typeof wasm !== "string") return wasm;
    return await useCpu(`${gpu}, and ${wasm}`);
  }
  if (requested === "cpu") return await useCpu("asked for");
  const wasm = await useWasm("asked for", gemm, threads);
  if (typeof wasm === "string") throw new Error(`Cannot train on WASM as ${wasm}`);
  return wasm;
}

/** Answers with the reason if there is no usable adapter. */
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
    if (failure !== undefined) throw new Error(`Cannot go on with the GPU (${device}) as ${failure}`);
  };
  // A lost device makes uploads and reads fail with words about a buffer: say what happened instead.
  const explain = (error: unknown): never => {
    check();
    throw new Error(`Cannot go on with the GPU (${device}) as it fails: ${(error as Error).message}`);
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
      // The reason is told a moment later.
      await new Promise((resolve) => setTimeout(resolve, 100));
      return explain(error);
    }
  };
  return {
    name: "webgpu",
    reason: `${askedFor ? "asked for" : "a WebGPU adapter was found"}: ${device}`,
    check,
  };
}

async function useWasm(
  reason: string,
  requested: "auto" | GemmName,
  threads: 1 | 2,
): Promise<Backend | string> {
  const file = "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm";
  setWasmPaths(new URL(".", import.meta.resolve(file)).href);
  try {
    if (!await tf.setBackend("wasm")) return "the WASM backend could not start";
  } catch (error) {
    return `the WASM backend could not start: ${(error as Error).message}`;
  }
  const [gemm, why] = chooseGemm(requested);
  const how = threads === 1 ? "" : await startSecondThread();
  if (threads === 1) await removeSecondThread();
  return { name: "wasm", reason: `${reason}; ${why}${how}`, gemm, check(): void {} };
}

/** Answers, for people, with what has become of it. */
async function startSecondThread(): Promise<string> {
  try {
    await useSecondThread();
    return " on two threads";
  } catch (error) {
    return `, on one thread (${(error as Error).message})`;
  }
}

/** Answers with the choice and, for people, what it means. */
function chooseGemm(requested: "auto" | GemmName): [GemmName, string] {
  let why = "asked for";
  if (requested !== "tfjs") {
    try {
      const build = useGemm(requested);
      return [build, `matrices multiplied by our kernel with ${build === "simd" ? "plain" : "relaxed"} SIMD`];
    } catch (error) {
      if (requested !== "auto") throw error;
      why = (error as Error).message;
    }
  }
  removeGemm();
  mendMatMul();
  return ["tfjs", `matrices multiplied by TensorFlow.js (${why})`];
}

async function useCpu(reason: string): Promise<Backend> {
  await tf.setBackend("cpu");
  return { name: "cpu", reason, check(): void {} };
}
