/**
 * What runs in WebAssembly, written in AssemblyScript. `deno task build:gemm` compiles it twice, once with the
 * fused multiply-add of relaxed SIMD and once without. All addresses are bytes into the memory that the host
 * hands over, and nothing here allocates.
 */
export { gemm, scratchBytes } from "./gemm";
export { activate, reluGradient } from "./activate";
export { batchNorm, batchNormGradient } from "./batch_norm";
export { augment, blend, dropout } from "./batch";
export { sumRows } from "./sum";
export { adamW, average, sgd } from "./update";
