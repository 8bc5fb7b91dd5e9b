/**
 * Runs libwebp 1.3.2, compiled to WebAssembly by the package `wasm-webp`, on Deno and on workerd.
 *
 * The package's loader compiles JavaScript at run time, which workerd forbids, so this file calls the program without
 * it. The program is C++ bound with Embind: when it starts, it announces its functions to the host, each with the
 * number of an invoker in its table. `decodeRGBA` gives its pixels to the host as a view of the program's memory, and
 * then wraps them in a JavaScript object; copying them when the view is given leaves nothing else to do, so all other
 * imports do nothing. A newer package with another binding shows in the tests.
 *
 * - **Nothing can be reached.** The imports are functions of this file: they copy inside the program's memory, grow it,
 *   or do nothing.
 * - **A ceiling.** {@linkcode memoryCeiling} bounds the memory; above it, the program's `malloc` gives null.
 * - **No growth over time.** An instance that has grown, or failed, is not used again.
 *
 * @module
 */
import { webpWasm } from "./codecs.js";
import { KEPT_BYTES, memoryCeiling } from "./sandbox.ts";

interface Exports {
  memory: WebAssembly.Memory;
  __indirect_function_table: WebAssembly.Table;
  __wasm_call_ctors(): void;
  malloc(bytes: number): number;
  free(pointer: number): void;
}

const PAGE_BYTES = 65_536;

let kept: Libwebp | undefined;

/**
 * Decodes a picture whose header has been checked.
 *
 * @param pixels width × height, as the header says; it sets how much memory the decoder may take
 * @returns red, green, blue and alpha, `[height, width, 4]`; undefined if the bytes cannot be decoded
 */
export function decodeRgba(bytes: Uint8Array, pixels: number): Uint8Array<ArrayBuffer> | undefined {
  const libwebp = kept ?? new Libwebp();
  kept = undefined;
  let rgba: Uint8Array<ArrayBuffer> | undefined;
  try {
    rgba = libwebp.decode(bytes, memoryCeiling(bytes.length, pixels));
  } catch {
    // A trap, an exit or an exception of C++, for example for want of memory.
    return undefined;
  }
  if (libwebp.bytes <= KEPT_BYTES) kept = libwebp;
  return rgba?.length === 4 * pixels ? rgba : undefined;
}

/** The version of libwebp in the program, such as `1.3.2`. */
export function libwebpVersion(): string {
  return new Libwebp().version();
}

/** An instance of the program. */
class Libwebp {
  readonly #program: Exports;
  /** The functions that it has announced, by name. */
  readonly #functions = new Map<string, (...pointers: number[]) => number>();
  #ceiling = 0;
  // What the program gives to the host.
  #pixels: Uint8Array<ArrayBuffer> | undefined;
  #string = "";

  constructor() {
    this.#program = new WebAssembly.Instance(webpWasm, this.#imports()).exports as unknown as Exports;
    this.#program.__wasm_call_ctors();
  }

  /** What its memory takes. */
  get bytes(): number {
    return this.#program.memory.buffer.byteLength;
  }

  decode(bytes: Uint8Array, ceiling: number): Uint8Array<ArrayBuffer> | undefined {
    this.#ceiling = ceiling;
    this.#pixels = undefined;
    // Embind's form of a std::string: its length and its bytes. The invoker copies it.
    const pointer = this.#program.malloc(4 + bytes.length);
    if (pointer === 0) return undefined;
    this.#view().setUint32(pointer, bytes.length, true);
    this.#memory().set(bytes, pointer + 4);
    this.#functions.get("decodeRGBA")!(pointer);
    this.#program.free(pointer);
    return this.#pixels;
  }

  version(): string {
    this.#functions.get("decoder_version")!();
    return this.#string;
  }

  #imports(): WebAssembly.Imports {
    const imports: Record<string, Record<string, (...args: number[]) => number>> = {};
    for (const { module, name } of WebAssembly.Module.imports(webpWasm)) {
      (imports[module] ??= {})[name] = () => 0;
    }
    const fail = (): never => {
      throw new WebAssembly.RuntimeError("libwebp ended");
    };
    Object.assign(imports.env!, {
      abort: fail,
      __cxa_throw: fail,
      emscripten_memcpy_js: (to: number, from: number, length: number) => {
        this.#memory().copyWithin(to, from, from + length);
      },
      emscripten_resize_heap: (bytes: number) => this.#grow(bytes >>> 0),
      _embind_register_function: (
        name: number,
        _count: number,
        _types: number,
        _signature: number,
        invoker: number,
        bound: number,
      ) => {
        this.#functions.set(
          this.#text(name),
          (...pointers) => this.#program.__indirect_function_table.get(invoker)!(bound, ...pointers),
        );
      },
      _emval_new_u8string: (text: number) => {
        this.#string = this.#text(text);
        return 0;
      },
      // `Uint8Array(view)`: the arguments are the view's length and its pointer, 0 if the data is corrupt.
      _emval_call: (_caller: number, _constructor: number, _destructors: number, view: number) => {
        const length = this.#view().getUint32(view, true), pointer = this.#view().getUint32(view + 4, true);
        if (pointer === 0) return 0;
        this.#pixels = this.#memory().slice(pointer, pointer + length);
        // The program never frees them.
        this.#program.free(pointer);
        return 0;
      },
    });
    return imports;
  }

  #grow(bytes: number): number {
    if (bytes > this.#ceiling) return 0;
    try {
      this.#program.memory.grow(Math.ceil((bytes - this.bytes) / PAGE_BYTES));
    } catch {
      return 0;
    }
    return 1;
  }

  #memory(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#program.memory.buffer as ArrayBuffer);
  }

  #view(): DataView {
    return new DataView(this.#program.memory.buffer);
  }

  #text(pointer: number): string {
    const bytes = this.#memory().subarray(pointer);
    return new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
  }
}
