/**
 * Finds a model on disk by its name or by a path. Training writes to `models/NAME`, which git ignores; the model
 * that ships with the project is in `shared/artifacts`.
 *
 * Only programs with a file system import this module: it uses `node:fs`, which Deno, Node.js and Bun have.
 *
 * @module
 */
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { InputError } from "./errors.ts";
import { nearest } from "./nearest.ts";

/** Where `deno task train` writes; git ignores it. */
export const MODELS_FOLDER: string = fileURLToPath(new URL("../models", import.meta.url));

/** Where the models that ship with the project are. */
export const SHIPPED_FOLDER: string = fileURLToPath(new URL("./artifacts", import.meta.url));

/** The model that ships with the project, by its path. */
export const SHIPPED_MODEL: string = join(SHIPPED_FOLDER, "fashion-mnist", "model.onnx");

/** Searched in this order. */
const FOLDERS = [MODELS_FOLDER, SHIPPED_FOLDER];

/** A file of a model's folder. */
export type ModelFile = "model.onnx" | "metrics.json";

/**
 * Finds a file of a model.
 *
 * @param model a name, as `fashion-mnist`; a folder; or the file itself
 * @param file which file of the model's folder is wanted
 * @param folders where names are looked up, in this order
 * @returns the path of an existing file
 * @throws {InputError} `not-found`; the message lists the models that exist, and the hint names the nearest
 *
 * @example
 * ```ts
 * import { findModel } from "./models.ts";
 *
 * const file = await findModel("fashion-mnist");
 * console.assert(file.endsWith("model.onnx"));
 * ```
 */
export async function findModel(
  model: string,
  file: ModelFile = "model.onnx",
  folders: readonly string[] = FOLDERS,
): Promise<string> {
  const isOther = basename(model) === (file === "model.onnx" ? "metrics.json" : "model.onnx");
  const candidates = [
    ...(isName(model) ? folders.map((folder) => join(folder, model, file)) : []),
    // Either file of the folder identifies the model.
    ...(model === "" ? [] : [isOther ? join(dirname(model), file) : model, join(model, file)]),
  ];
  for (const candidate of candidates) if (await isFile(candidate)) return candidate;
  if (!isName(model)) {
    throw new InputError("not-found", `Cannot read model "${model}" as there is no such file`, {
      hint: "Give the name of a model, a folder with a model.onnx, or an ONNX file",
    });
  }
  const names = await listModels(folders);
  const meant = nearest(model, names);
  throw new InputError(
    "not-found",
    `Cannot find model "${model}": ` +
      (names.length === 0 ? "there are no models" : `the models are ${names.join(", ")}`),
    {
      hint: meant === undefined
        ? "Train one with deno task train, or give the path of an ONNX file"
        : `Did you mean "${meant}"?`,
    },
  );
}

/**
 * Reads the ONNX file of a model.
 *
 * @param model as {@linkcode findModel} takes it
 * @throws {InputError} `not-found` if there is none, `unavailable` if it cannot be read
 */
export async function readModel(model: string): Promise<{ file: string; bytes: Uint8Array<ArrayBuffer> }> {
  const file = await findModel(model);
  try {
    return { file, bytes: new Uint8Array(await readFile(file)) };
  } catch (cause) {
    throw new InputError("unavailable", `Cannot read model "${file}": ${(cause as Error).message}`, {
      cause,
    });
  }
}

/** The names that {@linkcode findModel} knows, sorted. */
export async function listModels(folders: readonly string[] = FOLDERS): Promise<string[]> {
  const names = new Set<string>();
  for (const folder of folders) {
    for (const name of await readdir(folder).catch(() => [])) {
      if (await isFile(join(folder, name, "model.onnx"))) names.add(name);
    }
  }
  return [...names].sort();
}

/**
 * What to pass to `--model` and `MODEL` for an ONNX file: the model's name where that finds this very file, and
 * else its path, relative to the working directory where it is below it.
 */
export async function modelReference(file: string): Promise<string> {
  const folder = dirname(file), name = basename(folder);
  if (basename(file) === "model.onnx") {
    const found = await findModel(name).catch(() => undefined);
    if (found !== undefined && relative(found, file) === "") return name;
  }
  return shortPath(file);
}

/** A path relative to the working directory if it is below it; else as it is. */
export function shortPath(path: string): string {
  const short = relative("", path);
  return short === "" || short.startsWith("..") ? path : short;
}

function isName(model: string): boolean {
  return model !== "" && !/[/\\]|^\.|\.onnx$|\.json$/.test(model);
}

async function isFile(path: string): Promise<boolean> {
  return await stat(path).then((info) => info.isFile(), () => false);
}
