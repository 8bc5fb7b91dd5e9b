// @ts-self-types="./ort_wasm.d.ts"
// JavaScript, not TypeScript: TypeScript 6.0.3 cannot parse `import source` (source phase imports,
// https://github.com/tc39/proposal-source-phase-imports). Deno and workerd both answer it with a
// compiled WebAssembly.Module, which is the only form of WebAssembly that workerd accepts.
import source ortWasm from "onnxruntime-web/ort-wasm-simd-threaded.wasm";

export default ortWasm;
