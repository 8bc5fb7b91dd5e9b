/** The models that ship with the project are replaced only on request. */
import { join, relative, resolve } from "node:path";
import { percent } from "../../shared/format.ts";
import { SHIPPED_FOLDER, shortPath } from "../../shared/models.ts";
import { readMetrics } from "../artifact/metrics.ts";

/** The folder of a shipped model, and a description of what is in it. */
export async function shippedFolder(name: string): Promise<{ folder: string; current: string }> {
  const folder = join(SHIPPED_FOLDER, name);
  const current = await readMetrics(folder).then(
    ({ version, test }) => `version ${version} with ${percent(test.accuracy, 2)} test accuracy`,
    () => "nothing",
  );
  return { folder, current: `${current} in ${shortPath(folder)}` };
}

/** Whether a folder, which need not exist, is among the shipped models; links are followed. */
export async function isInShippedFolder(folder: string): Promise<boolean> {
  let existing = resolve(folder), rest = "";
  for (;;) {
    const real = await Deno.realPath(existing).catch(() => undefined);
    const parent = join(existing, "..");
    if (real !== undefined || parent === existing) {
      const inside = relative(await Deno.realPath(SHIPPED_FOLDER), join(real ?? existing, rest));
      return inside !== "" && !inside.startsWith("..");
    }
    rest = join(relative(parent, existing), rest);
    existing = parent;
  }
}
