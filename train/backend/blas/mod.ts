/**
 * Finds a native BLAS that Deno may load and that computes correctly.
 *
 * @module
 */
import type { HeapMath } from "../gemm/heap_math.ts";
import { Blas } from "./blas.ts";
import { INSTALL_HINT, LIBRARY_PATHS, openLibrary } from "./libraries.ts";

export { Blas } from "./blas.ts";

/** Why there is none. */
export interface NoBlas {
  /** As a clause. */
  reason: string;
  /** What to do about it, as a sentence. */
  hint: string;
}

/**
 * Looks for a library: the one that the variable BLAS names, else the first of the usual ones. It never makes Deno
 * ask for a permission.
 *
 * @param threads how many threads it should use
 * @param math what its products are compared with
 */
export function findBlas(threads: number, math: HeapMath): Blas | NoBlas {
  const named = isGranted({ name: "env", variable: "BLAS" }) ? Deno.env.get("BLAS") : undefined;
  if (named) return openNamed(named, threads, math);
  const allowed = LIBRARY_PATHS.filter((path) => isGranted({ name: "ffi", path }));
  const refused: string[] = [];
  for (const path of allowed) {
    const library = openLibrary(path);
    if (library instanceof Error) continue; // not installed
    const blas = Blas.create(library, path, threads, math);
    if (typeof blas !== "string") return blas;
    refused.push(`"${path}" must ${blas}`);
  }
  if (refused.length > 0) return { reason: refused.join("; "), hint: INSTALL_HINT };
  if (allowed.length === 0) {
    return {
      reason: "Deno may not load a native BLAS",
      hint: "Allow it with --allow-ffi=FILE, as the tasks in deno.json do, to train 2 to 4 times as fast",
    };
  }
  return { reason: "no native BLAS was found", hint: INSTALL_HINT };
}

function openNamed(path: string, threads: number, math: HeapMath): Blas | NoBlas {
  const hint = "BLAS must be the absolute path of OpenBLAS, MKL, BLIS, oneDNN or Accelerate; or unset it";
  if (!isGranted({ name: "ffi", path })) {
    return {
      reason: `Deno may not load "${path}"`,
      hint: `Allow it with --allow-ffi=${path}, as in deno run -A train/commands/train.ts`,
    };
  }
  const library = openLibrary(path);
  if (library instanceof Error) return { reason: `"${path}" must be a library: ${library.message}`, hint };
  const blas = Blas.create(library, path, threads, math);
  return typeof blas === "string" ? { reason: `"${path}" must ${blas}`, hint } : blas;
}

function isGranted(permission: Deno.PermissionDescriptor): boolean {
  return Deno.permissions.querySync(permission).state === "granted";
}
