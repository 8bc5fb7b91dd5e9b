/**
 * Runs libwebp 1.3.2, compiled to WebAssembly by the package `wasm-webp`, on Deno and on workerd.
 *
 * The package's loader compiles JavaScript at run time, which workerd forbids, so this file calls the program without
 * it. The program is C++ bound with Embind: when it starts, it announces its functions to the host, each with the
 * number of an invoker in its table. `decodeRGBA` gives its pixels to the host as a view of the program's memory, and
 * then wraps them in a JavaScript object; copying them when the view is given leaves nothing else to do, so all other
 * imports do nothing. A newer package with another binding shows in the tests.
 *
 * Nothing can be reached: the imports are functions of this file, which copy inside the program's memory or do nothing,
 * and those of `arena.ts`, which grow it.
 *
 * @module
 */
import { arena, memoryCeiling, Program, resizeHeap } from "./arena.ts";
import { webpWasm } from "./codecs.js";

interface Exports {
  __indirect_function_table: WebAssembly.Table;
  __wasm_call_ctors(): void;
  malloc(bytes: number): number;
  free(pointer: number): void;
}

const libwebp = new Program(() => new Libwebp());

/**
 * Decodes a picture whose header has been checked.
 *
 * @param pixels width × height, as the header says; it sets how much memory the decoder may take
 * @returns red, green, blue and alpha, `[height, width, 4]`; undefined if the bytes cannot be decoded
 * @throws {InputError} `too-large` if the decoder needs more memory
 */
export function decodeRgba(bytes: Uint8Array, pixels: number): Uint8Array<ArrayBuffer> | undefined {
  return libwebp.run("WebP", memoryCeiling(bytes.length, pixels), (instance) => {
    const rgba = instance.decode(bytes);
    return rgba?.length === 4 * pixels ? rgba : undefined;
  });
}

/** The version of libwebp in the program, such as `1.3.2`. */
export function libwebpVersion(): string {
  return libwebp.run("WebP", memoryCeiling(0, 0), (instance) => instance.version())!;
}

/** An instance of the program. */
class Libwebp {
  readonly #program: Exports;
  /** The functions that it has announced, by name. */
  readonly #functions = new Map<string, (...pointers: number[]) => number>();
  // What the program gives to the host.
  #pixels: Uint8Array<ArrayBuffer> | undefined;
  #string = "";

  constructor() {
    this.#program = new WebAssembly.Instance(webpWasm, this.#imports()).exports as unknown as Exports;
    this.#program.__wasm_call_ctors();
  }

  decode(bytes: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
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
    const imports: WebAssembly.Imports = {};
    for (const { module, name } of WebAssembly.Module.imports(webpWasm)) {
      (imports[module] ??= {})[name] = () => 0;
    }
    imports["arena"] = arena;
    const fail = (): never => {
      throw new WebAssembly.RuntimeError("libwebp ended");
    };
    Object.assign(imports["env"]!, {
      abort: fail,
      __cxa_throw: fail,
      emscripten_memcpy_js: (to: number, from: number, length: number) => {
        this.#memory().copyWithin(to, from, from + length);
      },
      emscripten_resize_heap: (bytes: number) => Number(resizeHeap(bytes)),
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

  #memory(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(arena.memory.buffer as ArrayBuffer);
  }

  #view(): DataView {
    return new DataView(arena.memory.buffer);
  }

  #text(pointer: number): string {
    const bytes = this.#memory().subarray(pointer);
    return new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
  }
}
