// @ts-self-types="./jpeg_encoder.d.ts"
// MozJPEG, as shared/decode/codecs.js has its decoder. JavaScript, as the package's types do not describe these files.
import makeEncoder from "@jsquash/jpeg/codec/enc/mozjpeg_enc.js";
import wasm from "@jsquash/jpeg/codec/enc/mozjpeg_enc.wasm" with { type: "bytes" };
import { defaultOptions } from "@jsquash/jpeg/meta.js";

const encoder = await makeEncoder({ noInitialRun: true, wasmBinary: wasm });

export function encodeJpeg({ data, width, height }) {
  return new Uint8Array(encoder.encode(data, width, height, { ...defaultOptions, quality: 80 }));
}
