/**
 * The options about matrix multiplication, which `deno task train` and `deno task quickstart` share.
 *
 * @module
 */
import { GEMMS } from "../backend/names.ts";
import { choice, number } from "./options.ts";

export const gemmOption = choice(
  ["auto", ...GEMMS],
  "Matrix multiplication on WASM: a native BLAS if available, or this project's kernel",
  "auto",
);

export const threadsOption = number(
  "Threads of a native BLAS (default all cores); use 1 on a busy machine",
  {
    min: 1,
    max: 256,
    whole: true,
  },
);
