/**
 * Feedback in a folder, on Deno.
 *
 * @module
 */
import { dirname, join } from "node:path";
import { InputError } from "../../shared/errors.ts";
import { Problem } from "../problem.ts";
import type { FeedbackStore, StoredFile } from "./feedback.ts";

/** Codes of errors: no space, or none that the user may take. */
const FULL = ["ENOSPC", "EDQUOT"];

/**
 * Makes the folder and checks that files can be written there.
 *
 * @throws {InputError} `invalid-value` if not
 */
export async function openFolder(folder: string): Promise<FeedbackStore> {
  try {
    await Deno.mkdir(folder, { recursive: true });
    await Deno.remove(await Deno.makeTempFile({ dir: folder, suffix: ".partial" }));
  } catch (error) {
    throw new InputError(
      "invalid-value",
      `Cannot use FEEDBACK_STORE as it must be a folder that can be written: current value is ${
        JSON.stringify(folder)
      }`,
      { cause: error, hint: "deno task serve may write to ./feedback only; docs/monitoring.md says more" },
    );
  }
  return {
    async list(): Promise<StoredFile[]> {
      const files: StoredFile[] = [];
      for (const model of await namesIn(folder)) {
        for (const label of await namesIn(join(folder, model))) {
          for (const file of await namesIn(join(folder, model, label))) {
            const name = `${model}/${label}/${file}`;
            const info = await ifThere(Deno.stat(join(folder, name)));
            if (info?.isFile) files.push({ name, bytes: info.size, at: info.mtime?.getTime() ?? 0 });
          }
        }
      }
      return files;
    },
    async write(name, bytes): Promise<void> {
      const path = join(folder, name);
      // Training ignores it, as it has no extension of a picture.
      const partial = `${path}.${crypto.randomUUID()}.partial`;
      try {
        await Deno.mkdir(dirname(path), { recursive: true });
        await Deno.writeFile(partial, bytes, { createNew: true });
        await Deno.rename(partial, path);
      } catch (error) {
        await Deno.remove(partial).catch(() => {});
        if (!FULL.includes((error as { code?: string }).code ?? "")) throw error;
        throw new Problem(507, "Cannot store the picture as the disk is full");
      }
    },
    async delete(name): Promise<void> {
      await ifThere(Deno.remove(join(folder, name)));
    },
  };
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return [];
    throw error;
  }
}

async function ifThere<T>(operation: Promise<T>): Promise<T | undefined> {
  try {
    return await operation;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
