/**
 * `deno task build:gemm`: compiles assembly/, with relaxed SIMD and without, into the files that are kept
 * beside this one.
 *
 * @module
 */
import asc from "assemblyscript/asc";

const SOURCE = "assembly/mod.ts";
const ROOM = new URL("./", import.meta.url);

/** The builds: the flags that differ. The last one is the second thread's, on a memory that both see. */
export const BUILDS = {
  relaxed: ["--enable", "relaxed-simd"],
  simd: [],
  shared: ["--enable", "relaxed-simd", "--enable", "threads", "--sharedMemory", "--maximumMemory", "65536"],
} as const;

/**
 * Compiles assembly/.
 *
 * @throws {SyntaxError} with what the compiler said
 */
export async function buildGemm(build: keyof typeof BUILDS): Promise<Uint8Array> {
  let binary: Uint8Array | undefined;
  const options = [
    // Above level 1, Binaryen nests each sum into the next: V8 then needs more registers than there are.
    "-O1",
    "--noAssert",
    ...["--runtime", "stub"],
    ...["--enable", "simd", ...BUILDS[build]],
    "--importMemory",
    // What TensorFlow.js's memory begins with: a known minimum saves V8 half of its bounds checks.
    ...["--initialMemory", "256"],
  ];
  const { error, stderr } = await asc.main([SOURCE, ...options, "--outFile", "gemm.wasm"], {
    // The compiler asks for files that may not be there.
    readFile: (name: string) => Deno.readTextFile(new URL(name, ROOM)).catch(() => null),
    writeFile(name: string, contents: Uint8Array | string): void {
      if (name === "gemm.wasm" && typeof contents !== "string") binary = contents;
    },
    listFiles: () => [],
  });
  if (error || !binary) throw new SyntaxError(`Cannot compile ${SOURCE}: ${error?.message}\n${stderr}`);
  return binary;
}

/** Where a build is kept. */
export function pathOf(build: keyof typeof BUILDS): URL {
  return new URL(`gemm_${build}.wasm`, ROOM);
}

if (import.meta.main) {
  for (const build of ["relaxed", "simd", "shared"] as const) {
    const binary = await buildGemm(build);
    await Deno.writeFile(pathOf(build), binary);
    // deno-lint-ignore no-console
    console.log(`gemm_${build}.wasm: ${binary.length} bytes`);
  }
}
