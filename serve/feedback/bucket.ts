/**
 * Feedback in a bucket of Cloudflare R2.
 *
 * @module
 */
import type { FeedbackStore, StoredFile } from "./feedback.ts";

/** The methods of a binding that are used (https://developers.cloudflare.com/r2/api/workers/workers-api-reference/). */
export interface Bucket {
  list(options: { cursor?: string }): Promise<{
    objects: { key: string; size: number; uploaded: Date }[];
    truncated: boolean;
    cursor?: string;
  }>;
  put(key: string, value: Uint8Array<ArrayBuffer>): Promise<unknown>;
  delete(key: string): Promise<void>;
}

export function bucketStore(bucket: Bucket): FeedbackStore {
  return {
    async list(): Promise<StoredFile[]> {
      const files: StoredFile[] = [];
      let cursor: string | undefined;
      do {
        const page = await bucket.list(cursor === undefined ? {} : { cursor });
        for (const { key, size, uploaded } of page.objects) {
          files.push({ name: key, bytes: size, at: uploaded.getTime() });
        }
        cursor = page.truncated ? page.cursor : undefined;
      } while (cursor !== undefined);
      return files;
    },
    write: async (name, bytes) => void await bucket.put(name, bytes),
    delete: (name) => bucket.delete(name),
  };
}
