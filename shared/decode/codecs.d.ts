/** What Emscripten's loaders take and give, as far as we use it. */
export interface EmscriptenOptions {
  noInitialRun: boolean;
  print: (line: string) => void;
  printErr: (line: string) => void;
  instantiateWasm: (
    imports: WebAssembly.Imports,
    receive: (instance: WebAssembly.Instance) => void,
  ) => WebAssembly.Exports;
}

/** A decoder that is ready. */
export interface EmscriptenDecoder {
  /** The WebAssembly heap; replaced whenever it grows. */
  HEAPU8: Uint8Array;
  /** @returns red, green, blue and alpha, or null if the bytes cannot be decoded */
  decode(
    bytes: Uint8Array,
    ...options: boolean[]
  ): { width: number; height: number; data: Uint8ClampedArray } | null;
}

type MakeDecoder = (options: EmscriptenOptions) => Promise<EmscriptenDecoder>;

/** MozJPEG. */
export const makeJpegDecoder: MakeDecoder;
export const jpegWasm: WebAssembly.Module;
/** libwebp. */
export const makeWebpDecoder: MakeDecoder;
export const webpWasm: WebAssembly.Module;
