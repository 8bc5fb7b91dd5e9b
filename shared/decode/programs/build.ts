/**
 * `deno task build:decoders`: compiles the programs in this folder, which are kept in git, from released sources and the
 * C files beside this one. What they import is the arena of `arena.ts`, and nothing else.
 *
 * The compiler is clang as WebAssembly, so this runs wherever Deno does and always gives the same bytes.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { FIRST_PAGES } from "../arena.ts";

// In variables, as Deno would install what it finds in a literal, for everyone: the compiler has 100 MB.
const CLANG = "npm:@yowasp/clang@22.0.0-git20542-10";
const NANOTAR = "npm:nanotar@0.3.0";

/** Files and folders, as the compiler takes and returns them. */
interface Tree {
  [name: string]: Tree | Uint8Array<ArrayBuffer>;
}

interface Clang {
  runClang(args: string[], files: Tree): Promise<Tree>;
}

interface Nanotar {
  parseTarGzip(archive: Uint8Array): Promise<{ name: string; data?: Uint8Array<ArrayBuffer> }[]>;
}

/** What a program is compiled from. */
interface Recipe {
  /** A release of the library: a folder as `.tar.gz`. */
  url: string;
  /** Of the release, hexadecimal. */
  sha256: string;
  /** The library's files to compile: folder → names without `.c`. The headers in these folders are found too. */
  files: Record<string, string>;
  /** The files of this folder that belong to the program; those that end in `.c` are compiled. */
  own: string[];
  options: string[];
}

/** The programs: file name → recipe. */
export const PROGRAMS: Record<string, Recipe> = {
  "webp.wasm": {
    url: "https://storage.googleapis.com/downloads.webmproject.org/releases/webp/libwebp-1.6.0.tar.gz",
    sha256: "e4ab7009bf0629fd11982d4c2aa83964cf244cffba7347ecd39019a9e38c4564",
    files: {
      // Without vp8l_dec, which is a part of webp.c.
      "src/dec": "alpha_dec buffer_dec frame_dec io_dec quant_dec tree_dec vp8_dec webp_dec",
      "src/dsp": "alpha_processing cpu dec dec_clip_tables filters lossless rescaler upsampling yuv",
      "src/utils": "bit_reader_utils color_cache_utils huffman_utils quant_levels_dec_utils random_utils " +
        "rescaler_utils thread_utils utils",
      "src/webp": "",
    },
    own: ["webp.c"],
    options: ["-msimd128", "-DWEBP_REDUCE_SIZE"],
  },
  "jpeg.wasm": {
    url: "https://github.com/libjpeg-turbo/libjpeg-turbo/archive/3.1.3/libjpeg-turbo-3.1.3.tar.gz",
    sha256: "3a13a5ba767dc8264bc40b185e41368a80d5d5f945944d1dbaa4b2fb0099f4e5",
    files: {
      "src": "jcomapi jdapimin jdhuff jdinput jdmarker jdmaster jdphuff jmemmgr jmemnobs",
      "src/wrapper":
        "jdapistd-8 jdcoefct-8 jdcolor-8 jddctmgr-8 jdmainct-8 jdpostct-8 jdsample-8 jidctint-8 " +
        "jidctred-8 jutils-8",
    },
    own: ["jpeg.c", "jconfig.h", "jconfigint.h"],
    // What jdmaster calls for 12 or 16 bits, lossless files and palettes is not there: calling it is a trap.
    options: ["-Isrc", "-DNO_GETENV", "-DNO_PUTENV", "-Wl,--unresolved-symbols=ignore-all"],
  },
};

/** Of the stack; no decoder calls itself without end, and what they keep on it is less than a tenth of this. */
const STACK_BYTES = 131_072;
const OPTIONS = [
  "--target=wasm32-wasip1",
  ...["-O3", "-DNDEBUG", "-I."],
  ...["-nostartfiles", "-Wl,--no-entry,--export=malloc,--export=free,--strip-all"],
  // At address 0, so that an overflow is a trap.
  `-Wl,--stack-first,-z,stack-size=${STACK_BYTES},--initial-memory=${FIRST_PAGES * 65_536}`,
  // -Wl would be split at the comma.
  ...["-Xlinker", "--import-memory=arena,memory"],
];

/**
 * Compiles a program.
 *
 * @param name a key of {@linkcode PROGRAMS}
 * @param folder has the releases, named as in their URLs; without it they are downloaded
 * @throws {Error} if a release cannot be had or has other bytes than expected, or the compiler fails; it prints the reason
 */
export async function buildProgram(name: string, folder?: string): Promise<Uint8Array<ArrayBuffer>> {
  const { files, own, options, ...release } = PROGRAMS[name]!;
  const { parseTarGzip } = await import(NANOTAR) as Nanotar;
  const { runClang } = await import(CLANG) as Clang;
  const tree: Tree = {};
  for (const { name, data } of await parseTarGzip(await readRelease(release, folder))) {
    const [, ...path] = name.split("/");
    if (path.slice(0, -1).join("/") in files && /\.[ch]$/.test(name)) put(tree, path, data!);
  }
  for (const file of [...own, "memory.c"]) {
    put(tree, [file], await Deno.readFile(new URL(file, import.meta.url)));
  }
  const compiled = Object.entries(files).flatMap(([folder, names]) =>
    names.split(" ").filter(Boolean).map((name) => `${folder}/${name}.c`)
  );
  compiled.push("memory.c", ...own.filter((file) => file.endsWith(".c")));
  const built = await runClang(["clang", ...OPTIONS, ...options, ...compiled, "-o", name], tree);
  return built[name] as Uint8Array<ArrayBuffer>;
}

async function readRelease(
  { url, sha256 }: Pick<Recipe, "url" | "sha256">,
  folder?: string,
): Promise<Uint8Array> {
  const file = folder === undefined ? url : `${folder}/${url.slice(url.lastIndexOf("/") + 1)}`;
  const bytes = folder === undefined ? await download(url) : await Deno.readFile(file);
  const found = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
  if (found !== sha256) {
    throw new Error(`Cannot use ${file} as its SHA-256 must be ${sha256}: current value is ${found}`);
  }
  return bytes;
}

async function download(url: string): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`Cannot download ${url}: the answer is ${response.status}`);
  return await response.bytes();
}

function put(tree: Tree, [name, ...rest]: string[], bytes: Uint8Array<ArrayBuffer>): void {
  if (rest.length === 0) tree[name!] = bytes;
  else put((tree[name!] ??= {}) as Tree, rest, bytes);
}

if (import.meta.main) {
  const { values: { sources, out } } = parseArgs({
    options: { sources: { type: "string" }, out: { type: "string" } },
  });
  for (const name of Object.keys(PROGRAMS)) {
    const program = await buildProgram(name, sources);
    await Deno.writeFile(out === undefined ? new URL(name, import.meta.url) : `${out}/${name}`, program);
    // deno-lint-ignore no-console
    console.log(`${name}: ${program.length} bytes`);
  }
}
