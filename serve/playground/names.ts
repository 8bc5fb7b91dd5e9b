/**
 * Where the page's files are. The page, its service worker and the server must agree on it.
 *
 * @module
 */

/** Under this the page's files are. */
export const ROOM = "/playground/";
/**
 * ONNX Runtime's WebAssembly program. Browsers cache it forever, so its name has the version of onnxruntime-web in
 * deno.json; on Cloudflare it is the link of that name in `cloudflare/`.
 */
export const ORT_WASM = "ort-1.30.0.wasm";
/** Bytes of {@linkcode ORT_WASM}, to the nearest MB. */
export const ORT_WASM_BYTES = 14_000_000;
/** Where the model's file is; the page adds `?version=`, by which browsers may keep it. */
export const MODEL_FILE = "/v1/model/file";
/** Where the example pictures are. */
export const EXAMPLES_PATH = "/model/examples.json";
/** Classes that are shown before one asks for all. */
export const BARS = 10;
