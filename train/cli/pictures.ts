/**
 * The pictures that a command line names.
 *
 * @module
 */
import { join } from "node:path";
import { InputError } from "../../shared/errors.ts";

/** Levels of folders that are searched, so that a mistaken `/` comes to an end. */
const MAX_DEPTH = 8;

/** Files of one command. */
const MAX_FILES = 100_000;

/** A picture, and the class that it is said to belong to. */
export interface NamedPicture {
  file: string;
  /** The nearest folder, below the one on the command line, that is called as a class; absent if there is none. */
  expected?: string;
}

/**
 * The files themselves, and the pictures in folders and their sub-folders, by name. Names that begin with a dot are
 * ignored, and links to folders are not followed.
 *
 * @param labels the classes
 * @throws {InputError} `not-found` for a folder without pictures, `too-large` for more than 100,000 files
 */
export async function findPictures(
  operands: readonly string[],
  labels: readonly string[],
): Promise<NamedPicture[]> {
  const found: NamedPicture[] = [];
  for (const operand of operands) {
    if (!await isFolder(operand)) {
      found.push({ file: operand });
      continue;
    }
    const before = found.length;
    await walk(operand, undefined, MAX_DEPTH);
    if (found.length > before) continue;
    throw new InputError(
      "not-found",
      `Cannot classify the folder "${operand}" as it has no PNG, JPEG or WebP file`,
    );
  }
  return found;

  async function walk(folder: string, expected: string | undefined, depth: number): Promise<void> {
    const entries = (await readFolder(folder)).filter(({ name }) => !name.startsWith("."));
    for (const entry of entries.sort((a, b) => a.name < b.name ? -1 : 1)) {
      const path = join(folder, entry.name);
      if (entry.isDirectory) {
        const label = entry.name.normalize("NFC");
        if (depth > 1) await walk(path, labels.includes(label) ? label : expected, depth - 1);
      } else if (/\.(png|jpe?g|webp)$/i.test(entry.name) && !await isFolder(path)) {
        found.push({ file: path, ...(expected !== undefined && { expected }) });
        if (found.length > MAX_FILES) {
          throw new InputError(
            "too-large",
            `Cannot classify as there must be at most ${MAX_FILES} files: "${folder}" has more`,
            { hint: "Name folders with fewer pictures" },
          );
        }
      }
    }
  }
}

async function readFolder(folder: string): Promise<Deno.DirEntry[]> {
  try {
    return await Array.fromAsync(Deno.readDir(folder));
  } catch (cause) {
    throw new InputError("unavailable", `Cannot read the folder "${folder}": ${(cause as Error).message}`, {
      cause,
    });
  }
}

async function isFolder(path: string): Promise<boolean> {
  return await Deno.stat(path).then(({ isDirectory }) => isDirectory, () => false);
}
