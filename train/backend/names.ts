/**
 * The names of devices, apart from the packages that implement them, which take a second to load.
 *
 * @module
 */

/** The TensorFlow.js backends that the project trains on, best first. */
export const BACKENDS = ["webgpu", "wasm", "cpu"] as const;
/** One of {@linkcode BACKENDS}. */
export type BackendName = typeof BACKENDS[number];

/** What multiplies matrices on WASM: a native BLAS, or our own kernel with relaxed or plain SIMD. */
export const GEMMS = ["native", "relaxed", "simd"] as const;
/** One of {@linkcode GEMMS}. */
export type GemmName = typeof GEMMS[number];
