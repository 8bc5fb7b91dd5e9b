/**
 * Bundles a model with the worker: wrangler takes the path of an entry, so a small generated one that imports the
 * model is enough, and no file of the project is changed.
 *
 * The model becomes a part of the bundle rather than a static asset or an object in R2. A deployment is then complete
 * by itself, a rollback brings back the old model, and the first request of an isolate fetches nothing.
 *
 * @module
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { InputError } from "../../shared/errors.ts";
import type { ModelFiles } from "../model_files.ts";

const ROOT = new URL("../../", import.meta.url);

/**
 * Bytes of a worker before compression, on every plan
 * (https://developers.cloudflare.com/workers/platform/limits/#worker-size, as of November 2026).
 */
export const WORKER_LIMIT_BYTES = 64 * 1024 * 1024;

/** What the rest of the bundle may take: ONNX Runtime has 14.2 MB, and our code and the decoders 1.1 MB. */
const PROGRAM_BYTES = 16 * 1024 * 1024;

/** An entry for wrangler; disposing of it removes the files. */
export interface Entry extends AsyncDisposable {
  /** Path of the module, which wrangler takes as `main`. */
  path: string;
}

/**
 * Writes an entry that serves a model, in a folder that git ignores.
 *
 * @param bytes an ONNX file that follows the model contract
 * @param files what is beside it
 * @throws {InputError} `too-large` if the bundle would exceed Cloudflare's limit
 */
export async function writeEntry(bytes: Uint8Array, files: ModelFiles = {}): Promise<Entry> {
  const most = WORKER_LIMIT_BYTES - PROGRAM_BYTES;
  if (bytes.length > most) {
    throw new InputError(
      "too-large",
      `Cannot deploy the model as its file must have at most ${most} bytes: current value is ${bytes.length}`,
      { hint: "A worker may have 64 MiB with ONNX Runtime; deno task serve has no such limit" },
    );
  }
  const parent = new URL(".wrangler/", ROOT);
  await Deno.mkdir(parent, { recursive: true });
  const folder = await Deno.makeTempDir({ dir: fileURLToPath(parent), prefix: "model-" });
  await Deno.writeFile(join(folder, "model.onnx"), bytes);
  await Deno.writeTextFile(join(folder, "files.json"), JSON.stringify(files));
  const path = join(folder, "worker.js");
  await Deno.writeTextFile(
    path,
    `import files from "./files.json";
import model from "./model.onnx";
import { createWorker } from "../../serve/create_worker.ts";

export default createWorker(new Uint8Array(model), files);
`,
  );
  return { path, [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }) };
}

/** A file of a bundle. */
export interface BundleFile {
  name: string;
  bytes: number;
}

/** The files that `wrangler deploy --dry-run --outdir FOLDER` wrote and that a deployment uploads. */
export async function bundleFiles(folder: string): Promise<BundleFile[]> {
  const files: BundleFile[] = [];
  for await (const { name } of Deno.readDir(folder)) {
    // Neither is uploaded as part of the worker.
    if (name.endsWith(".map") || name === "README.md") continue;
    files.push({ name, bytes: (await Deno.stat(join(folder, name))).size });
  }
  return files;
}
