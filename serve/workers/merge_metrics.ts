/**
 * The metrics of all workers in one text.
 *
 * @module
 */

/**
 * Merges metrics and adds the label `worker` to each line, so that the counters of a restarted worker start at 0
 * without affecting the others.
 *
 * @param texts in Prometheus' text format, by worker
 *
 * @example
 * ```ts
 * import { mergeMetrics } from "./merge_metrics.ts";
 *
 * const head = "# HELP up Whether it runs\n# TYPE up gauge\n";
 * const merged = mergeMetrics(new Map([[1, `${head}up 1\n`], [2, `${head}up 1\n`]]));
 * console.assert(merged === `${head}up{worker="1"} 1\nup{worker="2"} 1\n`);
 * ```
 */
export function mergeMetrics(texts: ReadonlyMap<number, string>): string {
  /** The samples of each metric, by the comments above them. */
  const metrics = new Map<string, string[]>();
  for (const [worker, text] of texts) {
    for (const [, comments = "", samples = ""] of text.matchAll(/((?:#.*\n)+)((?:[^#\n].*\n)*)/g)) {
      const lines = metrics.get(comments) ?? [];
      metrics.set(comments, lines);
      for (const line of samples.split("\n")) if (line !== "") lines.push(label(line, worker));
    }
  }
  return [...metrics].map(([comments, lines]) => comments + lines.map((line) => `${line}\n`).join("")).join(
    "",
  );
}

function label(line: string, worker: number): string {
  const own = `worker="${worker}"`;
  return /^[\w:]+\{/.test(line)
    ? line.replace("{", `{${own},`)
    : line.replace(/^[\w:]+/, (name) => `${name}{${own}}`);
}
