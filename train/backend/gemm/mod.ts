/**
 * Makes the WASM backend of TensorFlow.js multiply matrices several times faster. After one call,
 *
 *     await tf.setBackend("wasm");
 *     useGemm("auto");
 *
 * everything that multiplies matrices uses these kernels: layers, `tf.matMul`, and the gradients of both. See
 * docs/wasm-gemm.md for how they work.
 *
 * @module
 */
export { removeGemm, useGemm } from "./registry.ts";
export type { BuildName } from "./heap_math.ts";
