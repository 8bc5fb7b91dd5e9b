import { join } from "node:path";

/**
 * Where downloads and caches go, which git ignores: `data` in the checkout, or in the working directory if this module
 * was loaded from a registry.
 */
export const DATA_FOLDER: string = import.meta.dirname === undefined
  ? "data"
  : join(import.meta.dirname, "../../data");
