/**
 * Your own data sets: a folder with pictures by class, or with the files of an IDX set.
 *
 * @module
 */
import { isModelName } from "../../shared/contract.ts";
import { InputError } from "../../shared/errors.ts";
import { basename } from "node:path";
import { loadFolder } from "./folder.ts";
import { findIdx, loadIdxFolder } from "./idx_folder.ts";
import type { Dataset, DatasetOptions } from "./types.ts";

/** Whether a data set's name means a folder: anything with a slash, or an existing folder. */
export function meansFolder(name: string): boolean {
  if (/[/\\]/.test(name)) return true;
  try {
    return Deno.statSync(name).isDirectory;
  } catch {
    return false;
  }
}

/**
 * Loads a folder, and detects what is in it.
 *
 * @param builtIn names that are reserved, as a folder's model must not replace that of a built-in data set
 * @throws {InputError} if it cannot be used; the message says what to do
 */
export async function loadOwn(
  folder: string,
  builtIn: readonly string[],
  options: DatasetOptions = {},
): Promise<Dataset> {
  let root: string, isDirectory: boolean;
  try {
    root = await Deno.realPath(folder);
    ({ isDirectory } = await Deno.stat(root));
  } catch (cause) {
    const why = cause instanceof Deno.errors.NotFound ? "there is no such folder" : (cause as Error).message;
    throw new InputError(
      "invalid-value",
      `Cannot use the folder "${folder}" as ${why}`,
      { cause, hint: "Name a folder that has a folder for each class" },
    );
  }
  if (!isDirectory) {
    throw new InputError(
      "invalid-value",
      `Cannot use the folder "${folder}" as it is a file`,
      { hint: "Name a folder that has a folder for each class" },
    );
  }
  const name = nameOf(root, builtIn);
  const idx = await findIdx(folder);
  return idx ? await loadIdxFolder(folder, idx, name, options) : await loadFolder(folder, name, options);
}

/** The folder's name as one that `--name` accepts. */
function nameOf(root: string, builtIn: readonly string[]): string {
  const name = basename(root).normalize("NFC").replace(/[^\p{L}\p{M}\p{N}_.-]+/gu, "-")
    .replace(/^[-.]+|[-.]+$/g, "").slice(0, 64) || "images";
  return builtIn.includes(name.toLowerCase()) || !isModelName(name) ? `${name}-folder` : name;
}
