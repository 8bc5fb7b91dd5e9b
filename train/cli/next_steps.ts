/** What to do with a model that was just written. */
import { basename, dirname } from "node:path";
import { modelReference, shortPath } from "../../shared/models.ts";
import { shellQuote } from "./command_line.ts";

/**
 * Where to look, and the commands that use the model, as lines; the last ones serve it.
 *
 * @param file the ONNX file
 * @param report the paths of the model card and the plots, if there are any
 * @param more lines before those that serve it
 */
export async function nextSteps(
  file: string,
  { report = [], more = [] }: { report?: readonly string[]; more?: readonly string[] } = {},
): Promise<string[]> {
  const model = shellQuote(await modelReference(file));
  const cards = report.filter((path) => path.endsWith(".md"));
  const plots = Map.groupBy(report.filter((path) => path.endsWith(".svg")), dirname);
  return [
    ...cards.map((path) => `Model card:  ${shortPath(path)}`),
    ...[...plots].map(([folder, paths]) =>
      `Plots:       ${shortPath(folder)}: ${paths.map((path) => basename(path)).join(", ")}`
    ),
    ...more,
    `Evaluate it: deno task evaluate --model ${model}`,
    `Classify:    deno task predict --model ${model} FILE|DIR`,
    `Serve it:    MODEL=${model} deno task serve    (then open the page at http://127.0.0.1:8000/)`,
  ];
}
