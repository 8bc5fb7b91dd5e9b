/** What to do with a model that was just written. */
import { dirname, join } from "node:path";
import { modelReference, shortPath } from "../../shared/models.ts";
import { shellQuote } from "./command_line.ts";

/**
 * The written files and the commands that use the model, as lines.
 *
 * @param file the ONNX file
 * @param hasReport whether there are a model card and plots beside it
 */
export async function nextSteps(file: string, { hasReport }: { hasReport: boolean }): Promise<string[]> {
  const folder = dirname(file), model = shellQuote(await modelReference(file));
  return [
    ...(hasReport
      ? [
        `Model card:  ${shortPath(join(folder, "MODEL_CARD.md"))}`,
        `Plots:       ${shortPath(join(folder, "*.svg"))}`,
      ]
      : []),
    `Serve it:    MODEL=${model} deno task serve    (then open http://127.0.0.1:8000/)`,
    `Evaluate it: deno task evaluate --model ${model}`,
    `Classify:    deno task predict --model ${model} FILE`,
  ];
}
