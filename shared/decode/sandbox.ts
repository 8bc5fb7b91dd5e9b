/**
 * Runs decoders that Emscripten has compiled to WebAssembly (https://github.com/jamsinclair/jSquash) on Deno and on
 * workerd, in a memory of `arena.ts`: every trick that this needs is in this file.
 *
 * - **No compiling at run time.** Emscripten's loaders fetch and compile their program, which workerd forbids;
 *   `instantiateWasm` answers with an instance of the module that the platform has compiled (`codecs.js`).
 * - **No way out.** A program in WebAssembly reaches only what it imports, and the one import that reaches
 *   everything, a lookup of global variables by name, is cut down to the two that decoders need.
 *
 * @module
 */
import { type Arena, memoryCeiling, Program } from "./arena.ts";
import type { EmscriptenDecoder, EmscriptenOptions, MakeDecoder } from "./codecs.js";

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

const GLOBALS = ["ImageData", "Uint8ClampedArray"];

/** A decoder in WebAssembly. */
export class Sandbox {
  readonly #format: string;
  readonly #make: MakeDecoder;
  readonly #module: WebAssembly.Module;
  readonly #program: Program<EmscriptenDecoder> = new Program((arena) => this.#start(arena));
  #warnings: string[] = [];

  /**
   * Starts nothing yet.
   *
   * @param format the format's name, as in "Cannot decode the JPEG"
   */
  constructor(format: string, make: MakeDecoder, module: WebAssembly.Module) {
    this.#format = format;
    this.#make = make;
    this.#module = module;
  }

  /**
   * Decodes a picture whose header has been checked.
   *
   * @param pixels width × height, as the header says; it sets how much memory the decoder may take
   * @param options passed on to the decoder
   * @returns undefined if the bytes cannot be decoded
   * @throws {InputError} `too-large` if the decoder needs more memory
   */
  async decode(bytes: Uint8Array, pixels: number, ...options: boolean[]): Promise<Decoded | undefined> {
    const warnings: string[] = this.#warnings = [];
    // deno-lint-ignore require-yield -- in one piece
    function* decode(decoder: EmscriptenDecoder): Generator<void, Decoded | undefined> {
      warnings.length = 0;
      const image = decoder.decode(bytes, ...options);
      if (image?.data.length !== 4 * pixels) return undefined;
      const { width, height, data: { buffer, byteOffset, length } } = image;
      return { width, height, data: new Uint8Array(buffer, byteOffset, length), warnings };
    }
    return await this.#program.run(this.#format, memoryCeiling(bytes.length, pixels), decode);
  }

  #start(arena: Arena): EmscriptenDecoder {
    const decoder: EmscriptenOptions & Partial<EmscriptenDecoder> = {
      noInitialRun: true,
      print: () => {},
      printErr: (line) => this.#warnings.push(line),
      instantiateWasm: (imports, receive) => {
        replaceImport(imports, "emval_get_global", (lookUp) => confineGlobals(arena, lookUp));
        replaceImport(imports, "emscripten_resize_heap", (makeViews) => resizeArena(arena, makeViews));
        const { exports } = new WebAssembly.Instance(this.#module, { ...imports, arena: arena.imports });
        receive({ exports: hideGrow(arena, exports) });
        return exports;
      },
    };
    // It waits for nothing, as its program is there.
    this.#make(decoder).catch(() => {});
    return decoder as EmscriptenDecoder;
  }
}

type Import = (value: number) => unknown;

/** Imports have short keys that change with each build; the functions keep their names. */
function replaceImport(
  imports: WebAssembly.Imports,
  name: string,
  replace: (original: Import) => Import,
): void {
  for (const functions of Object.values(imports)) {
    for (const [key, original] of Object.entries(functions)) {
      if (typeof original !== "function" || !original.name.endsWith(name)) continue;
      functions[key] = replace(original as Import);
      return;
    }
  }
  throw new TypeError(`Cannot start the decoder as it imports no ${name}`);
}

/** Looks up the globals that decoders need, and no others. */
function confineGlobals(arena: Arena, lookUp: Import): Import {
  return (pointer) => {
    const bytes = new Uint8Array(arena.memory.buffer, pointer);
    const name = String.fromCharCode(...bytes.subarray(0, Math.min(bytes.indexOf(0), 64)));
    if (!GLOBALS.includes(name)) throw new TypeError(`Cannot give the decoder "${name}"`);
    return lookUp(pointer);
  };
}

/** Grows the arena. All that is left to Emscripten is to make new views of the memory. */
function resizeArena(arena: Arena, makeViews: Import): Import {
  return (bytes) => arena.resizeHeap(bytes) && makeViews(bytes);
}

/** Emscripten calls `grow` of the memory that it finds among the exports: here it has grown already. */
function hideGrow(arena: Arena, exports: WebAssembly.Exports): WebAssembly.Exports {
  const memory = {
    get buffer(): ArrayBuffer {
      return arena.memory.buffer as ArrayBuffer;
    },
    grow: () => 0,
  } as unknown as WebAssembly.Memory;
  return Object.fromEntries(
    Object.entries(exports).map(([key, value]) => [key, value === arena.memory ? memory : value]),
  );
}
