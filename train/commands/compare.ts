/** `deno task compare`: shows runs side by side. */
import { InputError } from "../../shared/errors.ts";
import { findModel } from "../../shared/models.ts";
import { toSnakeCase } from "../../shared/naming.ts";
import { print, runCommand } from "../cli/command.ts";
import { type Command, flag, text } from "../cli/options.ts";
import { formatTable } from "../cli/table.ts";
import { replaceFile } from "../files/replace_file.ts";
import { compareRuns, comparisonCurves, comparisonRows, shortLabels } from "../report/comparison.ts";
import { readMetrics } from "../artifact/metrics.ts";
import { drawPicture } from "../report/picture.ts";

const command = {
  name: "deno task compare",
  summary: "Compare runs: their results and their settings, side by side.",
  operands: "MODEL MODEL…",
  options: {
    out: text("FILE", "Also draw the learning curves of all runs into an SVG file"),
    json: flag("Print the comparison as JSON"),
  },
  notes: "A MODEL is a name, a folder or its metrics.json. Settings that differ are marked with ≠.",
} satisfies Command;

await runCommand(command, async ({ out, json }, models) => {
  if (models.length < 2) {
    throw new InputError(
      "usage",
      `Cannot compare as there must be at least two models: ${models.length} given`,
      {
        hint: `Try "${command.name} --help"`,
      },
    );
  }
  if (out !== undefined && !out.endsWith(".svg")) {
    throw new InputError("usage", `Option --out must be a file that ends in .svg: current value is "${out}"`);
  }
  const labels = shortLabels(models);
  const runs = await Promise.all(
    models.map(async (model, i) => ({
      label: labels[i]!,
      run: await readMetrics(await findModel(model, "metrics.json")),
    })),
  );
  const comparison = compareRuns(runs);
  print(json ? JSON.stringify(toSnakeCase(comparison)) : formatTable(comparisonRows(comparison), 2));
  if (out !== undefined) await replaceFile(out, await drawPicture(comparisonCurves(runs)));
});
