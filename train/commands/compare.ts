/** `deno task compare`: puts runs side by side. */
import { type Command, flag, type Option, print, runCommand, text, UsageError } from "../cli/command.ts";
import { replaceFile } from "../files/replace_file.ts";
import { compareRuns, comparisonCurves, comparisonRows, shortLabels } from "../report/comparison.ts";
import { readMetrics } from "../report/metrics.ts";
import { drawPicture } from "../report/picture.ts";

const command = {
  name: "deno task compare",
  summary: "Puts runs side by side: what came out, and with what settings.",
  operands: "RUN RUN…",
  options: {
    out: text("FILE", "Draws the curves over each other into an SVG file"),
    json: flag("Prints the comparison as JSON"),
  },
  notes: "A RUN is a folder with a metrics.json, or such a file. Settings that differ are marked with ≠.",
} satisfies Command<Record<string, Option<unknown>>>;

await runCommand(command, async (values, paths) => {
  if (paths.length < 2) {
    throw new UsageError(
      `Option RUN must be given twice or more: ${paths.length} given. Try "${command.name} --help"`,
    );
  }
  if (values.out !== undefined && !values.out.endsWith(".svg")) {
    throw new UsageError(`Option --out must be a file that ends in .svg: current value is "${values.out}"`);
  }
  const labels = shortLabels(paths);
  const runs = await Promise.all(
    paths.map(async (path, i) => ({ label: labels[i]!, run: await readMetrics(path) })),
  );
  const comparison = compareRuns(runs);
  print(values.json ? JSON.stringify(comparison) : table(comparisonRows(comparison)));
  if (values.out !== undefined) {
    const svg = new TextEncoder().encode(await drawPicture(comparisonCurves(runs)));
    await replaceFile(values.out, svg).catch((cause) => {
      throw new Error(`Cannot write "${values.out}": ${cause.message}`, { cause });
    });
  }
});

/** Marks and names to the left, values to the right. */
function table(rows: readonly string[][]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row.map((cell, i) => i < 2 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)).join("  ").trimEnd()
  ).join("\n");
}
