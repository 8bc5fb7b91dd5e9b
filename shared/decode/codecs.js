// @ts-self-types="./codecs.d.ts"
// JavaScript for the same reason as shared/inference/ort_wasm.js: TypeScript cannot parse `import source`, and
// a module that the platform has compiled is the only form of WebAssembly that workerd accepts.
export { default as makeJpegDecoder } from "@jsquash/jpeg/codec/dec/mozjpeg_dec.js";
import source jpegWasm from "./programs/mozjpeg.wasm";
import source reducedJpegWasm from "./programs/jpeg_reduced.wasm";
import source webpWasm from "./programs/webp.wasm";

export { jpegWasm, reducedJpegWasm, webpWasm };
