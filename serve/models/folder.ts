/**
 * Models in a folder: `NAME/model.onnx` and `NAME/VERSION/model.onnx`. Next to a file, `model.onnx.sha256` may have its
 * hash, as `sha256sum model.onnx` prints it; a file with another hash is refused.
 *
 * @module
 */
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { isModelName } from "../../shared/contract.ts";
import { InputError } from "../../shared/errors.ts";
import type { CreateSession } from "../../shared/inference/session.ts";
import { loadModel } from "../model.ts";
import type { ModelFile, ModelSource } from "./registry.ts";

const FILE = "model.onnx";

/** A folder of models. */
export class ModelFolder implements ModelSource {
  readonly #folder: string;
  readonly #create: CreateSession | undefined;
  readonly #onIgnored: (name: string) => void;
  /** Folders that `onIgnored` has received. */
  #ignored = new Set<string>();

  /**
   * @param create the build of ONNX Runtime that runs them; WebAssembly if absent
   * @param onIgnored receives the name of each folder that is ignored as no model can have its name
   */
  constructor(folder: string, create?: CreateSession, onIgnored: (name: string) => void = () => {}) {
    this.#folder = folder;
    this.#create = create;
    this.#onIgnored = onIgnored;
  }

  async list(): Promise<ModelFile[]> {
    const files: ModelFile[] = [];
    for (const name of await this.#names()) {
      files.push(...await this.#find(join(this.#folder, name), { name }));
      for (const version of await readdir(join(this.#folder, name)).catch(() => [])) {
        if (isVisible(version)) {
          files.push(...await this.#find(join(this.#folder, name, version), { name, version }));
        }
      }
    }
    return files;
  }

  async #names(): Promise<string[]> {
    try {
      const entries = await readdir(this.#folder, { withFileTypes: true });
      const ignored = entries.filter((entry) => !entry.isFile() && !isModelName(entry.name)).map(nameOf);
      for (const name of ignored) if (!this.#ignored.has(name)) this.#onIgnored(name);
      this.#ignored = new Set(ignored);
      return entries.map(nameOf).filter(isVisible);
    } catch (cause) {
      throw new InputError(
        "unavailable",
        `Cannot read the folder of models "${this.#folder}": ${(cause as Error).message}`,
        { cause },
      );
    }
  }

  /** The file in one folder, if there is one. */
  async #find(folder: string, identity: { name: string; version?: string }): Promise<ModelFile[]> {
    const path = join(folder, FILE), hashPath = `${path}.sha256`;
    const info = await stat(path).catch(() => undefined);
    if (!info?.isFile()) return [];
    const hash = await stat(hashPath).catch(() => undefined);
    const signature = [info, hash].map((info) => info && `${info.ino} ${info.size} ${info.mtimeMs}`).join(
      ", ",
    );
    const load: ModelFile["load"] = async () => {
      const sha256 = hash && await readHash(hashPath);
      return await loadModel(new Uint8Array(await readFile(path)), {
        identity,
        ...(sha256 !== undefined && { sha256 }),
        ...(this.#create && { create: this.#create }),
      });
    };
    return [{ ...identity, signature, bytes: info.size, load }];
  }
}

function nameOf({ name }: { name: string }): string {
  return name;
}

/** Hidden folders are those of other programs, in which files are copied before they are renamed. */
function isVisible(name: string): boolean {
  return isModelName(name) && !name.startsWith(".");
}

async function readHash(path: string): Promise<string> {
  const text = await readFile(path, "utf8");
  const hash = /^[0-9a-f]{64}\b/i.exec(text)?.[0];
  if (hash !== undefined) return hash.toLowerCase();
  throw new InputError("invalid-format", `Cannot read "${path}" as it must start with 64 hexadecimal digits`);
}
