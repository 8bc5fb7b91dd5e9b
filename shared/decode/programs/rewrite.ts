/**
 * `deno task build:decoders`: makes the other programs in this folder, which are kept in git, from those of the npm packages.
 *
 * A program that brings its own memory keeps it until V8 collects its instance, which can take minutes, as V8 does not
 * count the memory of WebAssembly. So here the memory becomes an import, and with it the two instructions that ask for its
 * size and grow it: all decoders share one memory, and `arena.ts` bounds it. Nothing else changes.
 *
 * @module
 */
import initialize from "wabt";
import { FIRST_PAGES } from "../arena.ts";

/** The programs, and what they are made from. */
export const PROGRAMS = {
  "mozjpeg.wasm": import.meta.resolve("@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm"),
  "jpeg_reduced.wasm": import.meta.resolve("imagescript/wasm/any/jpeg.wasm"),
} as const;

/**
 * Makes one of the programs.
 *
 * @throws {SyntaxError} if the package's program is built in another way than expected
 */
export async function buildProgram(name: keyof typeof PROGRAMS): Promise<Uint8Array<ArrayBuffer>> {
  const wabt = await initialize();
  const original = wabt.readWasm(await Deno.readFile(new URL(PROGRAMS[name])), { readDebugNames: false });
  // With names instead of numbers, functions can be added.
  original.generateNames();
  original.applyNames();
  const text = original.toText({ foldExprs: false, inlineExport: false });
  const memory = /^ {2}\(memory (\$\w+) \d+(?: \d+)?\)\n/m.exec(text);
  if (!memory || !/\bmemory\.(size|grow)\n/.test(text)) {
    throw new SyntaxError(`Cannot build ${name} as it must have one memory that can grow`);
  }
  const imports = `
  (import "arena" "memory" (memory ${memory[1]} ${FIRST_PAGES}))
  (import "arena" "size" (func $arena_size (result i32)))
  (import "arena" "grow" (func $arena_grow (param i32) (result i32)))`;
  const changed = text.replace(memory[0], "").replace("(module", `(module${imports}`)
    .replace(/\bmemory\.(size|grow)\n/g, "call $arena_$1\n");
  return new Uint8Array(wabt.parseWat(name, changed).toBinary({}).buffer);
}

if (import.meta.main) {
  for (const name of Object.keys(PROGRAMS) as (keyof typeof PROGRAMS)[]) {
    const program = await buildProgram(name);
    await Deno.writeFile(new URL(name, import.meta.url), program);
    // deno-lint-ignore no-console
    console.log(`${name}: ${program.length} bytes`);
  }
}
