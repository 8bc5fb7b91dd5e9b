// @ts-self-types="./codecs.d.ts"
// JavaScript for the same reason as shared/inference/ort_wasm.js: TypeScript cannot parse `import source`, and
// a module that the platform has compiled is the only form of WebAssembly that workerd accepts.
export { default as makeJpegDecoder } from "@jsquash/jpeg/codec/dec/mozjpeg_dec.js";
import source jpegWasm from "@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm";
import source reducedJpegWasm from "imagescript/wasm/any/jpeg.wasm";
import source webpWasm from "wasm-webp/dist/esm/webp-wasm.wasm";

export { jpegWasm, reducedJpegWasm, webpWasm };
