/**
 * The BLAS libraries that can multiply for us, and where operating systems keep them.
 *
 * @module
 */

/**
 * Where to look, best first: Accelerate, MKL, OpenBLAS, BLIS, oneDNN. The tasks in deno.json allow exactly these
 * files (`--allow-ffi`), and a test compares the two lists. Netlib's reference BLAS is left out, as it is slower
 * than our own kernel.
 */
export const LIBRARY_PATHS: readonly string[] = [
  // macOS. The file is in the loader's cache and not on the disk.
  "/System/Library/Frameworks/Accelerate.framework/Accelerate",
  // Intel's installer, Debian and Ubuntu, Windows
  "/opt/intel/oneapi/mkl/latest/lib/libmkl_rt.so.2",
  "/usr/lib/x86_64-linux-gnu/libmkl_rt.so",
  "C:/Program Files (x86)/Intel/oneAPI/mkl/latest/bin/mkl_rt.2.dll",
  // Debian and Ubuntu, Fedora (p: with threads), Arch, Homebrew on Linux, MSYS2, vcpkg
  "/usr/lib/x86_64-linux-gnu/libopenblas.so.0",
  "/usr/lib/aarch64-linux-gnu/libopenblas.so.0",
  "/usr/lib64/libopenblasp.so.0",
  "/usr/lib/libopenblas.so.0",
  "/home/linuxbrew/.linuxbrew/lib/libopenblas.so.0",
  "C:/msys64/ucrt64/bin/libopenblas.dll",
  "C:/vcpkg/installed/x64-windows/bin/openblas.dll",
  // Debian and Ubuntu, Fedora, Arch
  "/usr/lib/x86_64-linux-gnu/libblis.so.4",
  "/usr/lib/aarch64-linux-gnu/libblis.so.4",
  "/usr/lib64/libblisp.so.4",
  "/usr/lib/libblis.so.4",
  // Debian and Ubuntu, Fedora, Arch
  "/usr/lib/x86_64-linux-gnu/libdnnl.so.3",
  "/usr/lib/aarch64-linux-gnu/libdnnl.so.3",
  "/usr/lib/x86_64-linux-gnu/libdnnl.so.2",
  "/usr/lib/aarch64-linux-gnu/libdnnl.so.2",
  "/usr/lib64/libdnnl.so.3",
  "/usr/lib/libdnnl.so.3",
];

/** How to install one. */
export const INSTALL_HINT =
  "Install OpenBLAS to train 2 to 4 times as fast: apt install libopenblas0-pthread " +
  "(Debian, Ubuntu), dnf install openblas-threads (Fedora), pacman -S openblas (Arch)";

/**
 * The functions that are used where a library has them. Each family is recognised by the function that returns its
 * version. The last two are the C library's, on which all of these depend: they copy strings from native memory, as
 * `Deno.UnsafePointerView` needs the permission for all libraries.
 */
const SYMBOLS = {
  cblas_sgemm: {
    // deno-fmt-ignore
    parameters: [
      "i32", "i32", "i32", "i32", "i32", "i32", "f32", "buffer", "i32", "buffer", "i32", "f32", "buffer", "i32",
    ],
    result: "void",
    optional: true,
  },
  dnnl_sgemm: {
    // deno-fmt-ignore
    parameters: [
      "i8", "i8", "i64", "i64", "i64", "f32", "buffer", "i64", "buffer", "i64", "f32", "buffer", "i64",
    ],
    result: "i32",
    optional: true,
  },
  MKL_Get_Version_String: { parameters: ["buffer", "i32"], result: "void", optional: true },
  MKL_Set_Interface_Layer: { parameters: ["i32"], result: "i32", optional: true },
  MKL_CBWR_Set: { parameters: ["i32"], result: "i32", optional: true },
  MKL_Set_Dynamic: { parameters: ["i32"], result: "void", optional: true },
  MKL_Set_Num_Threads: { parameters: ["i32"], result: "void", optional: true },
  MKL_Get_Max_Threads: { parameters: [], result: "i32", optional: true },
  openblas_get_config: { parameters: [], result: "usize", optional: true },
  openblas_set_num_threads: { parameters: ["i32"], result: "void", optional: true },
  openblas_get_num_threads: { parameters: [], result: "i32", optional: true },
  bli_info_get_version_str: { parameters: [], result: "usize", optional: true },
  bli_info_get_blas_int_type_size: { parameters: [], result: "i64", optional: true },
  bli_thread_set_num_threads: { parameters: ["i64"], result: "void", optional: true },
  bli_thread_get_num_threads: { parameters: [], result: "i64", optional: true },
  dnnl_version: { parameters: [], result: "usize", optional: true },
  omp_set_num_threads: { parameters: ["i32"], result: "void", optional: true },
  omp_get_max_threads: { parameters: [], result: "i32", optional: true },
  BLASSetThreading: { parameters: ["i32"], result: "i32", optional: true },
  strncpy: { parameters: ["buffer", "usize", "usize"], result: "usize", optional: true },
  memcpy: { parameters: ["buffer", "usize", "usize"], result: "usize", optional: true },
} as const satisfies Deno.ForeignLibraryInterface;

/** A loaded library. */
export type Library = Deno.DynamicLibrary<typeof SYMBOLS>;
export type Functions = Library["symbols"];

/** Loaded libraries by path. They stay loaded: their threads cannot be ended safely. */
const loaded = new Map<string, Library>();

/**
 * Loads a library. The permission must be granted, or Deno asks for it.
 *
 * @returns an error if the file is missing, or is no library
 */
export function openLibrary(path: string): Library | Error {
  try {
    const library = loaded.get(path) ?? Deno.dlopen(path, SYMBOLS);
    loaded.set(path, library);
    return library;
  } catch (error) {
    return error as Error;
  }
}

/** Name and threads of a library. */
export interface LibraryInfo {
  /** As `OpenBLAS 0.3.21 Haswell`. */
  name: string;
  /** How many threads it uses from now on; absent if it decides that by itself. */
  threads?: number;
}

/**
 * Recognises a library and sets its number of threads.
 *
 * @returns a reason, to follow "it must", if it cannot be used
 */
export function setUp(functions: Functions, path: string, threads: number): LibraryInfo | string {
  if (!functions.cblas_sgemm && !functions.dnnl_sgemm) {
    return "have cblas_sgemm or dnnl_sgemm: it has neither";
  }
  if (functions.MKL_Get_Version_String) return setUpMkl(functions, threads);
  if (functions.openblas_get_config) return setUpOpenBlas(functions, threads);
  if (functions.bli_info_get_version_str) return setUpBlis(functions, threads);
  if (functions.dnnl_version) return setUpOneDnn(functions, threads);
  if (path.endsWith("/Accelerate")) {
    // macOS 15 and newer: 1 is BLAS_THREADING_SINGLE_THREADED. Others decide on threads by themselves.
    const single = threads === 1 && functions.BLASSetThreading?.(1) === 0;
    return { name: "Accelerate", ...(single && { threads: 1 }) };
  }
  return "be MKL, OpenBLAS, BLIS, oneDNN or Accelerate: it is another one, and Netlib's is slower than our kernel";
}

function setUpMkl(functions: Functions, threads: number): LibraryInfo | string {
  if (!functions.MKL_Set_Num_Threads || !functions.MKL_Get_Max_Threads) return NO_THREADS;
  // 32-bit integers; the same bits in each run; exactly the requested number of threads.
  functions.MKL_Set_Interface_Layer?.(0);
  functions.MKL_CBWR_Set?.(2);
  functions.MKL_Set_Dynamic?.(0);
  functions.MKL_Set_Num_Threads(threads);
  const bytes = new Uint8Array(198);
  functions.MKL_Get_Version_String!(bytes, bytes.length);
  const version = /Version ([\d.]+)/.exec(textOf(bytes))?.[1] ?? "";
  return { name: `MKL ${version}`.trim(), threads: functions.MKL_Get_Max_Threads() };
}

function setUpOpenBlas(functions: Functions, threads: number): LibraryInfo | string {
  if (!functions.openblas_set_num_threads || !functions.openblas_get_num_threads) return NO_THREADS;
  // As "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH NO_AFFINITY Haswell MAX_THREADS=64".
  const words = readText(functions, functions.openblas_get_config!()).split(" ");
  if (words[0] !== "OpenBLAS") return "report its version: the C library's strncpy was not found";
  if (words.includes("USE64BITINT")) return WIDE_INTEGERS;
  functions.openblas_set_num_threads(threads);
  const [version = "", core = ""] = [words[1], words.at(-2)];
  return { name: `OpenBLAS ${version} ${core}`.trim(), threads: functions.openblas_get_num_threads() };
}

function setUpBlis(functions: Functions, threads: number): LibraryInfo | string {
  if (!functions.bli_thread_set_num_threads || !functions.bli_thread_get_num_threads) return NO_THREADS;
  if (Number(functions.bli_info_get_blas_int_type_size?.() ?? 32) !== 32) return WIDE_INTEGERS;
  functions.bli_thread_set_num_threads(BigInt(threads));
  const version = readText(functions, functions.bli_info_get_version_str!());
  return {
    name: `BLIS ${version}`.trim(),
    // It answers −1 for a build without threads.
    threads: Math.max(1, Number(functions.bli_thread_get_num_threads())),
  };
}

function setUpOneDnn(functions: Functions, threads: number): LibraryInfo | string {
  if (!functions.dnnl_sgemm || !functions.omp_set_num_threads || !functions.omp_get_max_threads) {
    return NO_THREADS;
  }
  functions.omp_set_num_threads(threads);
  const version = new Int32Array(3);
  functions.memcpy?.(version, functions.dnnl_version!(), BigInt(version.byteLength));
  return { name: `oneDNN ${version.join(".")}`, threads: functions.omp_get_max_threads() };
}

const NO_THREADS = "have functions to set and to read its number of threads: it has not";
const WIDE_INTEGERS = "use 32-bit integers: it is a build with 64-bit ones";

/** Copies a C string out of native memory. */
function readText(functions: Functions, address: bigint): string {
  if (!functions.strncpy || address === 0n) return "";
  const bytes = new Uint8Array(256);
  functions.strncpy(bytes, address, BigInt(bytes.length - 1));
  return textOf(bytes);
}

function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(bytes.subarray(0, end < 0 ? bytes.length : end)).trim();
}
