/** The part of the interface of Emscripten's loaders that this project uses. */
export interface EmscriptenOptions {
  /** Whether `main` stays uncalled. */
  noInitialRun: boolean;
  /** What it writes to standard output. */
  print: (line: string) => void;
  /** What it writes to standard error. */
  printErr: (line: string) => void;
  /** Provides the compiled program. */
  instantiateWasm: (
    imports: WebAssembly.Imports,
    receive: (instance: Pick<WebAssembly.Instance, "exports">) => void,
  ) => WebAssembly.Exports;
}

/** A decoder that is ready. */
export interface EmscriptenDecoder {
  /**
   * Decodes one picture.
   *
   * @returns red, green, blue and alpha, or null if the bytes cannot be decoded
   */
  decode(
    bytes: Uint8Array,
    ...options: boolean[]
  ): { width: number; height: number; data: Uint8ClampedArray } | null;
}

/** Starts a decoder: turns the options into one, at once if its program is there. */
export type MakeDecoder = (options: EmscriptenOptions & Partial<EmscriptenDecoder>) => Promise<unknown>;

/** MozJPEG. */
export const makeJpegDecoder: MakeDecoder;
/** MozJPEG's program. */
export const jpegWasm: WebAssembly.Module;
/** ImageScript's JPEG decoder, which can decode at reduced scale. It imports nothing. */
export const reducedJpegWasm: WebAssembly.Module;
/** libwebp, with the functions of `programs/webp.c`. */
export const webpWasm: WebAssembly.Module;
