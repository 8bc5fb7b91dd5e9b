/**
 * Runs decoders that Emscripten has compiled to WebAssembly (https://github.com/jamsinclair/jSquash) on Deno and on
 * workerd, and keeps them small: every trick that this needs is in this file.
 *
 * - **No compiling at run time.** Emscripten's loaders fetch and compile their program, which workerd forbids;
 *   `instantiateWasm` answers with an instance of the module that the platform has compiled (`codecs.js`).
 * - **A ceiling.** Some bytes of a header can make a decoder ask for 700 MB. Emscripten grows its memory by
 *   calling `grow` on the memory that the program exports, so that one method is shadowed by ours, which
 *   throws above a ceiling: the decoder's `malloc` then gives null and it fails as if the machine were full.
 * - **No growth over time.** WebAssembly memory never shrinks and a decoder that ends in the middle frees
 *   nothing, so an instance that has grown, or failed, is dropped and the next picture gets a new one (0.5 ms).
 * - **No way out.** A program in WebAssembly reaches only what it imports, and the one import that reaches
 *   everything, a lookup of global variables by name, is cut down to the two that decoders need.
 *
 * @module
 */
import type { EmscriptenDecoder, EmscriptenOptions } from "./codecs.js";

/** Red, green, blue and alpha. */
export interface Decoded {
  /** Pixels. */
  width: number;
  /** Pixels. */
  height: number;
  /** `[height, width, 4]`, 0..255 */
  data: Uint8Array;
  /** The decoder's warnings. */
  warnings: string[];
}

const MiB = 1024 * 1024;
/** What a decoder has from the start: its stack, its tables and room for small pictures. */
const BASE = 16 * MiB;
/**
 * Bytes a pixel on top of that. The most that honest files take is 10: three coefficients of 2 bytes in a
 * progressive JPEG, and the result.
 */
const BYTES_PER_PIXEL = 16;
/** Instances with more memory than this are not kept. */
export const KEPT_BYTES = 24 * MiB;

/**
 * How much memory a decoder may take.
 *
 * @param length of the file; it is held twice
 * @param pixels of the picture
 * @returns bytes
 */
export function memoryCeiling(length: number, pixels: number): number {
  return BASE + 2 * length + BYTES_PER_PIXEL * pixels;
}

const GLOBALS = ["ImageData", "Uint8ClampedArray"];

/** A decoder in WebAssembly. */
export class Sandbox {
  readonly #make: (options: EmscriptenOptions) => Promise<EmscriptenDecoder>;
  readonly #program: WebAssembly.Module;
  #decoder: Promise<EmscriptenDecoder> | undefined;
  #ceiling = BASE;
  #warnings: string[] = [];

  /** Starts nothing yet. */
  constructor(
    make: (options: EmscriptenOptions) => Promise<EmscriptenDecoder>,
    program: WebAssembly.Module,
  ) {
    this.#make = make;
    this.#program = program;
  }

  /**
   * Decodes a picture whose header has been checked.
   *
   * @param pixels width × height, as the header says; it sets how much memory the decoder may take
   * @param options passed on to the decoder
   * @returns undefined if the bytes cannot be decoded
   */
  async decode(bytes: Uint8Array, pixels: number, ...options: boolean[]): Promise<Decoded | undefined> {
    const decoder = await (this.#decoder ??= this.#start());
    // From here on nothing waits, so the fields belong to this picture.
    this.#ceiling = memoryCeiling(bytes.length, pixels);
    this.#warnings = [];
    let image: ReturnType<EmscriptenDecoder["decode"]>;
    try {
      image = decoder.decode(bytes, ...options);
    } catch {
      // An exit, a trap, or no memory: the message is about the decoder, not about the image.
      this.#decoder = undefined;
      return undefined;
    }
    if (decoder.HEAPU8.length > KEPT_BYTES) this.#decoder = undefined;
    if (image?.data.length !== 4 * pixels) return undefined;
    const { width, height, data } = image;
    const { buffer, byteOffset, length } = data;
    return { width, height, data: new Uint8Array(buffer, byteOffset, length), warnings: this.#warnings };
  }

  async #start(): Promise<EmscriptenDecoder> {
    return await this.#make({
      noInitialRun: true,
      print: () => {},
      printErr: (line) => this.#warnings.push(line),
      instantiateWasm: (imports, receive) => {
        const confine = confineGlobals(imports);
        const instance = new WebAssembly.Instance(this.#program, imports);
        const memory = Object.values(instance.exports).find((value) => value instanceof WebAssembly.Memory)!;
        confine(memory);
        this.#limit(memory);
        receive(instance);
        return instance.exports;
      },
    });
  }

  #limit(memory: WebAssembly.Memory): void {
    const grow = memory.grow.bind(memory);
    memory.grow = (pages): number => {
      const size = memory.buffer.byteLength + pages * 65536;
      if (size > this.#ceiling) throw new RangeError(`Cannot grow to ${size} bytes`);
      return grow(pages);
    };
  }
}

/**
 * Replaces the import that looks up globals.
 *
 * @returns what to call with the memory, where the names are, before the program starts
 */
function confineGlobals(imports: WebAssembly.Imports): (memory: WebAssembly.Memory) => void {
  let memory: WebAssembly.Memory;
  for (const functions of Object.values(imports)) {
    for (const [key, lookUp] of Object.entries(functions)) {
      // Imports have short keys that change with each build; the functions keep their names.
      if (typeof lookUp !== "function" || !lookUp.name.endsWith("emval_get_global")) continue;
      functions[key] = (pointer: number): unknown => {
        const bytes = new Uint8Array(memory.buffer, pointer);
        const name = String.fromCharCode(...bytes.subarray(0, Math.min(bytes.indexOf(0), 64)));
        if (!GLOBALS.includes(name)) throw new TypeError(`Cannot give the decoder "${name}"`);
        return lookUp(pointer);
      };
      return (its) => memory = its;
    }
  }
  throw new TypeError("Cannot confine the decoder as it imports no emval_get_global");
}
