/**
 * Models in a bucket of Cloudflare R2: objects called `NAME/model.onnx` and `NAME/VERSION/model.onnx`.
 *
 * @module
 */
import { isModelName } from "../../shared/contract.ts";
import { InputError } from "../../shared/errors.ts";
import { loadModel } from "../model.ts";
import type { ModelFile, ModelSource } from "./registry.ts";

/** The part of R2 that is used (https://developers.cloudflare.com/r2/api/workers/workers-api-reference/). */
export interface Bucket {
  list(options: { cursor?: string }): Promise<{
    objects: { key: string; size: number; etag: string }[];
    truncated: boolean;
    cursor?: string;
  }>;
  get(key: string): Promise<{ arrayBuffer(): Promise<ArrayBuffer> } | null>;
}

const FILE = "model.onnx";

export class ModelBucket implements ModelSource {
  readonly #bucket: Bucket;

  constructor(bucket: Bucket) {
    this.#bucket = bucket;
  }

  async list(): Promise<ModelFile[]> {
    const files: ModelFile[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.#bucket.list(cursor === undefined ? {} : { cursor });
      for (const { key, size, etag } of page.objects) {
        const parts = key.split("/");
        const isModel = parts.pop() === FILE && [1, 2].includes(parts.length) && parts.every(isModelName);
        if (!isModel) continue;
        const [name, version] = parts as [string, string?];
        const identity = { name, ...(version !== undefined && { version }) };
        files.push({ ...identity, signature: etag, bytes: size, load: () => this.#load(key, identity) });
      }
      cursor = page.truncated ? page.cursor : undefined;
    } while (cursor !== undefined);
    return files;
  }

  async #load(key: string, identity: { name: string; version?: string }): ReturnType<ModelFile["load"]> {
    const object = await this.#bucket.get(key);
    if (!object) throw new InputError("not-found", `Cannot read "${key}" as the bucket has no such object`);
    return await loadModel(new Uint8Array(await object.arrayBuffer()), { identity });
  }
}
