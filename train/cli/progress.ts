/**
 * A progress bar on the terminal.
 *
 * @module
 */
import type { DatasetProgress } from "../dataset/mod.ts";

const WIDTH = 24;
let shown = false;

/**
 * Draws `label ━━━━╌╌╌╌ 42 %  detail` over the previous line if stderr is a terminal, and nothing otherwise, so
 * that logs stay short.
 *
 * @param fraction 0..1, or undefined if the end is not known
 */
export function showProgress(label: string, fraction: number | undefined, detail = ""): void {
  if (!Deno.stderr.isTerminal()) return;
  const filled = Math.round((fraction ?? 0) * WIDTH);
  const bar = "━".repeat(filled) + "╌".repeat(WIDTH - filled);
  const done = fraction === undefined ? "" : ` ${Math.floor(fraction * 100).toString().padStart(3)} %`;
  write(`\r\x1b[K${label} ${bar}${done}  ${detail}`);
  shown = true;
}

/** Draws the progress of a download or of decoding, as `loadDataset()` reports it. */
export function showDownload({ label, done, total, unit = "bytes" }: DatasetProgress): void {
  showProgress(
    label,
    total && done / total,
    unit === "bytes" ? `${(done / 1e6).toFixed(1)} MB` : `${done} ${unit}`,
  );
}

/** Removes the progress bar. */
export function clearProgress(): void {
  if (shown) write("\r\x1b[K");
  shown = false;
}

function write(text: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(text));
}
