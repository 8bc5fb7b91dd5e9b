/**
 * `deno task build:gemm`: compiles assembly/, with relaxed SIMD and without, into `binaries.ts`, which is
 * kept in git.
 *
 * @module
 */
import asc from "assemblyscript/asc";

const SOURCE = "assembly/mod.ts";
const ROOM = new URL("./", import.meta.url);

/** The builds: the flags that differ. */
export const BUILDS = {
  relaxed: ["--enable", "relaxed-simd"],
  simd: [],
} as const;

/**
 * Compiles assembly/.
 *
 * @throws {SyntaxError} with what the compiler said
 */
async function buildGemm(build: keyof typeof BUILDS): Promise<Uint8Array> {
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

/** `binaries.ts`: every build as base64, because packages cannot import bytes yet. */
export async function writeBinaries(): Promise<string> {
  const lines = ["// Written by `deno task build:gemm` from assembly/. Do not edit."];
  for (const name of Object.keys(BUILDS) as (keyof typeof BUILDS)[]) {
    const binary = await buildGemm(name);
    lines.push(
      "",
      `/** ${binary.length} bytes of WebAssembly, compiled with ${
        BUILDS[name].join(" ") || "plain SIMD"
      }. */`,
      `export const ${name}: Uint8Array<ArrayBuffer> = Uint8Array.fromBase64(`,
      `  "${binary.toBase64()}",`,
      ");",
    );
  }
  return lines.join("\n") + "\n";
}

/** Where {@linkcode writeBinaries} is kept. */
export const BINARIES = new URL("binaries.ts", ROOM);

if (import.meta.main) {
  const text = await writeBinaries();
  await Deno.writeTextFile(BINARIES, text);
  // deno-lint-ignore no-console
  console.log(`binaries.ts: ${text.length} bytes`);
}
