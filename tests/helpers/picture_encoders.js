// @ts-self-types="./picture_encoders.d.ts"
// The encoders that belong to the decoders under test (https://github.com/jamsinclair/jSquash), for pictures made
// in tests. JavaScript for `import source`, as in shared/decode/codecs.js.
import makeJpeg from "@jsquash/jpeg/codec/enc/mozjpeg_enc.js";
import source jpegWasm from "@jsquash/jpeg/codec/enc/mozjpeg_enc.wasm";
import { defaultOptions as jpegDefaults } from "@jsquash/jpeg/meta.js";
import makeWebp from "@jsquash/webp/codec/enc/webp_enc.js";
import source webpWasm from "@jsquash/webp/codec/enc/webp_enc.wasm";
import { defaultOptions as webpDefaults } from "@jsquash/webp/meta.js";

const load = (make, program) =>
  make({
    noInitialRun: true,
    instantiateWasm: (imports, receive) => {
      const instance = new WebAssembly.Instance(program, imports);
      receive(instance);
      return instance.exports;
    },
  });

export async function encodeJpeg({ width, height, data }, options = {}) {
  const encoder = await load(makeJpeg, jpegWasm);
  return new Uint8Array(encoder.encode(data, width, height, { ...jpegDefaults, ...options }));
}

export async function encodeWebp({ width, height, data }, options = {}) {
  const encoder = await load(makeWebp, webpWasm);
  return new Uint8Array(encoder.encode(data, width, height, { ...webpDefaults, ...options }));
}
