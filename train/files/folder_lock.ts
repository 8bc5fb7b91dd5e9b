/**
 * One run at a time in a folder.
 *
 * @module
 */
import { join } from "node:path";
import { InputError } from "../../shared/errors.ts";
import { isSystemError } from "./replace_file.ts";

/** The file that a run keeps locked, with its process id as text. */
const LOCK = ".lock";

/**
 * Locks a folder for this process and creates it if necessary. The lock is the operating system's, on a file in the
 * folder: it ends with the process, however that ends, so the file of a process that was killed does not block the
 * next run. As the file is written, a folder that is not writable is noticed here.
 *
 * @returns what releases the lock; it removes the file, and the folder if that is new and still empty
 * @throws {InputError} `conflict` if another process has locked the folder, `unavailable` if it is not writable
 *
 * @example
 * ```ts
 * import { lockFolder } from "./folder_lock.ts";
 *
 * const folder = await Deno.makeTempDir();
 * {
 *   using _lock = await lockFolder(folder);
 * }
 * await Deno.remove(folder);
 * ```
 */
export async function lockFolder(folder: string): Promise<Disposable> {
  const path = join(folder, LOCK);
  try {
    const isNew = !await exists(folder);
    while (true) {
      await Deno.mkdir(folder, { recursive: true });
      const file = await openLock(path);
      if (!file) continue;
      await file.truncate();
      await file.write(new TextEncoder().encode(String(Deno.pid)));
      return {
        [Symbol.dispose](): void {
          // In this order, so that no other process locks a file that is then removed.
          quietly(() => Deno.removeSync(path));
          file.close();
          if (isNew) quietly(() => Deno.removeSync(folder));
        },
      };
    }
  } catch (cause) {
    if (!isSystemError(cause)) throw cause;
    throw new InputError("unavailable", `Cannot write to "${folder}": ${cause.message}`, {
      cause,
      hint: "Choose another folder with --out",
    });
  }
}

/**
 * Opens and locks the file.
 *
 * @returns undefined if its owner removed it, or the folder, meanwhile
 * @throws {InputError} `conflict` if another process has locked it
 */
async function openLock(path: string): Promise<Deno.FsFile | undefined> {
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path, { read: true, write: true, create: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  try {
    if (!await file.tryLock(true)) {
      const owner = await Deno.readTextFile(path).catch(() => "");
      throw new InputError(
        "conflict",
        `Cannot start a run in "${path.slice(0, -LOCK.length - 1)}" as another run` +
          `${owner === "" ? "" : `, process ${owner},`} is active there`,
        { hint: "Wait for its end, or choose another --name or --out" },
      );
    }
    if ((await file.stat()).ino === (await Deno.stat(path)).ino) return file;
  } catch (error) {
    file.close();
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  file.close();
  return undefined;
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

/** Something else may have changed the folder. */
function quietly(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!isSystemError(error)) throw error;
  }
}
