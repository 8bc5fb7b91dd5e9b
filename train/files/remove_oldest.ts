/**
 * Keeps the folder of a cache within its bound.
 *
 * @module
 */
import { join } from "node:path";

/**
 * Removes the `.bin` files that were used the longest time ago until the others fit.
 *
 * @param maxBytes what the remaining files may have together
 */
export async function removeOldest(directory: string, maxBytes: number): Promise<void> {
  const files: { path: string; size: number; used: number }[] = [];
  for await (const { name, isFile } of Deno.readDir(directory)) {
    const path = join(directory, name);
    // Another run may remove files at the same time.
    const info = isFile && name.endsWith(".bin") ? await Deno.stat(path).catch(() => undefined) : undefined;
    if (info) files.push({ path, size: info.size, used: info.mtime?.getTime() ?? 0 });
  }
  files.sort((a, b) => b.used - a.used);
  let total = 0;
  for (const { path, size } of files) {
    total += size;
    if (total > maxBytes) await Deno.remove(path).catch(() => {});
  }
}
