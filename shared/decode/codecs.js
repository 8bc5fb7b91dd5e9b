// @ts-self-types="./codecs.d.ts"
// JavaScript for the same reason as shared/inference/ort_wasm.js: TypeScript cannot parse `import source`, and
// a module that the platform has compiled is the only form of WebAssembly that workerd accepts.
import source jpegWasm from "./programs/jpeg.wasm";
import source webpWasm from "./programs/webp.wasm";

export { jpegWasm, webpWasm };
