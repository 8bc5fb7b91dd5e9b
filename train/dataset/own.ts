/**
 * Data sets of one's own: a folder that holds pictures by class, or the files of an IDX set.
 *
 * @module
 */
import { basename } from "node:path";
import { loadFolder } from "./folder.ts";
import { findIdx, loadIdxFolder } from "./idx_folder.ts";
import type { Dataset, DatasetOptions } from "./types.ts";

/** Whether a data set's name means a folder: anything with a slash, or a folder that is there. */
export function meansFolder(name: string): boolean {
  if (/[/\\]/.test(name)) return true;
  try {
    return Deno.statSync(name).isDirectory;
  } catch {
    return false;
  }
}

/**
 * Loads a folder, and finds out by itself what is in it.
 *
 * @param builtIn names that no data set of one's own may have, as their models must not be replaced by its
 * @throws {Error} if it cannot be used; the message says what to do
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
    const why = cause instanceof Deno.errors.NotFound ? "there is none" : (cause as Error).message;
    throw new Error(
      `Cannot use the folder "${folder}" as ${why}. Name one that holds a folder for each class`,
      {
        cause,
      },
    );
  }
  if (!isDirectory) {
    throw new Error(
      `Cannot use the folder "${folder}" as it is a file. Name a folder with one for each class`,
    );
  }
  const name = nameOf(root, builtIn);
  const idx = await findIdx(folder);
  return idx ? await loadIdxFolder(folder, idx, name, options) : await loadFolder(folder, name, options);
}

/** The folder's name as one that can stand in paths and after `--name`. */
function nameOf(root: string, builtIn: readonly string[]): string {
  const name = basename(root).normalize("NFC").replace(/[^\p{L}\p{M}\p{N}_.-]+/gu, "-")
    .replace(/^[-.]+|[-.]+$/g, "").slice(0, 64) || "images";
  return builtIn.includes(name.toLowerCase()) ? `${name}-folder` : name;
}
