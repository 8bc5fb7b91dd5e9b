/**
 * Replaces a file as a whole or not at all.
 *
 * @module
 */
import { dirname } from "node:path";
import { InputError } from "../../shared/errors.ts";

/** What names the temporary files: `NAME.<UUID>.partial`. */
const PARTIAL = /\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.partial$/;

/**
 * Writes to a temporary file in the same folder, checks it and renames it, so that a full disk or a crash leaves the
 * existing file unchanged. The folder is created if necessary. Temporary names are unique: two processes that write
 * the same file do not disturb each other, and the last one wins.
 *
 * @param content bytes, or text that is encoded as UTF-8
 * @param verify receives what the disk holds; if it throws, the file is not replaced
 * @throws {InputError} if the folder is not writable or the disk is full; the temporary file is removed
 *
 * @example
 * ```ts
 * import { replaceFile } from "./replace_file.ts";
 *
 * const folder = await Deno.makeTempDir();
 * await replaceFile(`${folder}/runs/notes.txt`, "three epochs");
 * console.assert(await Deno.readTextFile(`${folder}/runs/notes.txt`) === "three epochs");
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export async function replaceFile(
  file: string,
  content: Uint8Array | string,
  verify?: (bytes: Uint8Array<ArrayBuffer>) => void | Promise<void>,
): Promise<void> {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const partial = `${file}.${crypto.randomUUID()}.partial`;
  try {
    await Deno.mkdir(dirname(file), { recursive: true });
    await writeDurably(partial, bytes);
    await verify?.(await Deno.readFile(partial));
    await Deno.rename(partial, file);
  } catch (cause) {
    await Deno.remove(partial).catch(() => {});
    if (!isSystemError(cause)) throw cause;
    throw new InputError("unavailable", `Cannot write "${file}": ${cause.message}`, { cause });
  }
}

/** Removes the temporary files that killed processes left in a folder. */
export async function removePartials(folder: string): Promise<void> {
  for await (const { name } of Deno.readDir(folder)) {
    if (PARTIAL.test(name)) await Deno.remove(`${folder}/${name}`).catch(() => {});
  }
}

/** Whether the operating system reported the error, as on a full disk or a missing permission. */
export function isSystemError(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  // Some errors, as that of a full disk, have a code but no class of their own.
  return error.name in Deno.errors || /^E[A-Z0-9]+$/.test(String((error as { code?: unknown }).code));
}

/** Returns when the bytes are on the disk, and not only in a cache. */
async function writeDurably(file: string, bytes: Uint8Array): Promise<void> {
  using handle = await Deno.open(file, { write: true, createNew: true });
  for (let written = 0; written < bytes.length;) written += await handle.write(bytes.subarray(written));
  await handle.sync();
}
