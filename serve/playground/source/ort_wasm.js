// Stands in for shared/inference/ort_wasm.js in the browser, which does not know `import source` yet.
import { ORT_WASM, ROOM } from "../names.ts";

export default await WebAssembly.compileStreaming(fetch(ROOM + ORT_WASM));
