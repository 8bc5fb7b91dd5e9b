/**
 * Registers the kernels with TensorFlow.js, and removes them again.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import { type BuildName, type Heap, HeapMath, type NativeGemm, supportedBuilds } from "./heap_math.ts";
import { KERNELS, kernels } from "./kernels.ts";

/** One for each backend and build, as each allocates some of the backend's memory. */
const maths = { relaxed: new WeakMap<object, HeapMath>(), simd: new WeakMap<object, HeapMath>() };

/** The build in use, and TensorFlow.js's own kernels, which it replaces. */
let active: { build: BuildName; replaced: tf.KernelConfig[] } | undefined;

/**
 * Registers the kernels: everything that multiplies matrices on the backend uses them from then on. The WASM backend
 * must be the current one. It can be called again, also with another choice.
 *
 * @param choice a build, or `auto` for the fastest that the engine can run
 * @returns the build in use
 * @throws {Error} if the engine cannot run it, or the memory of the backend cannot be reached: its threaded
 *   variant has another kind of memory
 *
 * @example
 * ```ts
 * import * as tf from "@tensorflow/tfjs";
 * import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
 * import { removeGemm, useGemm } from "@selvedge/selvedge/gemm";
 *
 * const program = import.meta.resolve("@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm");
 * setWasmPaths(new URL(".", program).href);
 * await tf.setBackend("wasm");
 * console.assert(["relaxed", "simd"].includes(useGemm("auto")));
 * const product = tf.matMul(tf.tensor2d([[1, 2], [3, 4]]), tf.tensor2d([[5, 6], [7, 8]]));
 * console.assert((await product.data()).join() === "19,22,43,50");
 * removeGemm();
 * ```
 */
export function useGemm(choice: "auto" | BuildName): BuildName {
  const supported = supportedBuilds();
  const build = choice === "auto" ? supported[0] : supported.find((name) => name === choice);
  if (!build) throw new Error(`Cannot multiply with "${choice}" as the engine must support it`);
  mathOf(tf.backend(), build); // if it fails, then here and not in the middle of training
  removeGemm();
  const replaced = KERNELS.map((name) => tf.getKernel(name, "wasm"));
  const ours = kernels((backend) => mathOf(backend, build), replaced);
  for (const stock of replaced) {
    register({ ...stock, kernelFunc: ours[stock.kernelName as keyof typeof ours] });
  }
  active = { build, replaced };
  return build;
}

/**
 * Sets the native library that multiplies in place of our kernel; undefined for none.
 *
 * @throws {Error} if {@linkcode useGemm} was not called
 */
export function useNative(native: NativeGemm | undefined): void {
  heapMath().native = native;
}

/** Puts TensorFlow.js's own kernels back. */
export function removeGemm(): void {
  active?.replaced.forEach(register);
  active = undefined;
}

/** Whether our kernels are registered and their backend is the current one. */
export function usesGemm(): boolean {
  return active !== undefined && tf.getBackend() === "wasm";
}

/**
 * The arithmetic on the memory of the current backend.
 *
 * @throws {Error} if {@linkcode useGemm} was not called
 */
export function heapMath(): HeapMath {
  if (!active || tf.getBackend() !== "wasm") {
    throw new Error("Cannot compute on the heap as useGemm() must be called, and the backend be wasm");
  }
  return mathOf(tf.backend(), active.build);
}

function mathOf(backend: object, build: BuildName): HeapMath {
  let math = maths[build].get(backend);
  if (!math) maths[build].set(backend, math = new HeapMath(build, heapOf(backend as BackendWasm)));
  return math;
}

function register(kernel: tf.KernelConfig): void {
  tf.unregisterKernel(kernel.kernelName, kernel.backendName);
  tf.registerKernel(kernel);
}

/** Emscripten keeps the exports of its module, and with them the memory, in `asm`. */
function heapOf({ wasm }: BackendWasm): Heap {
  const { asm, _malloc, _free } = (wasm ?? {}) as unknown as {
    asm?: { memory?: WebAssembly.Memory };
    _malloc?: Heap["malloc"];
    _free?: Heap["free"];
  };
  if (!(asm?.memory instanceof WebAssembly.Memory) || !_malloc || !_free) {
    throw new Error(
      "Cannot multiply in WebAssembly as the memory of TensorFlow.js's backend must be in reach",
    );
  }
  return { memory: asm.memory, malloc: _malloc, free: _free };
}
