// @ts-self-types="./photo_encoders.d.ts"
// JPEG and WebP files for the tests, made by MozJPEG and libwebp. JavaScript as in shared/decode/codecs.js.
import makeJpegEncoder from "@jsquash/jpeg/codec/enc/mozjpeg_enc.js";
import jpegWasm from "@jsquash/jpeg/codec/enc/mozjpeg_enc.wasm" with { type: "bytes" };
import { defaultOptions as jpegOptions } from "@jsquash/jpeg/meta.js";
import makeWebpEncoder from "@jsquash/webp/codec/enc/webp_enc.js";
import webpWasm from "@jsquash/webp/codec/enc/webp_enc.wasm" with { type: "bytes" };
import { defaultOptions as webpOptions } from "@jsquash/webp/meta.js";

const jpeg = await makeJpegEncoder({ noInitialRun: true, wasmBinary: jpegWasm });
const webp = await makeWebpEncoder({ noInitialRun: true, wasmBinary: webpWasm });

export function encodeJpeg({ data, width, height }) {
  return new Uint8Array(jpeg.encode(data, width, height, jpegOptions));
}

export function encodeWebp({ data, width, height }) {
  return new Uint8Array(webp.encode(data, width, height, webpOptions));
}
