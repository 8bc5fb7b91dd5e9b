/**
 * The options about matrix multiplication, which `deno task train` and `deno task quickstart` share.
 *
 * @module
 */
import { GEMMS } from "../backend/mod.ts";
import { choice, number } from "./options.ts";

export const gemmOption = choice(
  ["auto", ...GEMMS],
  "What multiplies matrices on WASM: a native BLAS if there is one, or our kernel",
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
