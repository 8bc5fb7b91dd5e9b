/** ONNX Runtime's WebAssembly program, compiled by the platform. */
declare const ortWasm: WebAssembly.Module;
export default ortWasm;
