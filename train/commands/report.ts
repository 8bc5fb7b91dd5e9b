/** `deno task report`: writes the model card and draws the plots of a run, from its metrics.json. */
import { dirname, join } from "node:path";
import { sha256 } from "../../shared/sha256.ts";
import { InputError } from "../../shared/errors.ts";
import { findModel, shortPath } from "../../shared/models.ts";
import { note, print, runCommand } from "../cli/command.ts";
import { type Command, flag, text } from "../cli/options.ts";
import { findImages } from "../report/images.ts";
import { readMetrics } from "../artifact/metrics.ts";
import { privateFolder } from "../report/places.ts";

const command = {
  name: "deno task report",
  summary: "Write the model card and draw the plots of a run, from its metrics.json and model.onnx.",
  operands: "MODEL",
  options: {
    data: text(
      "DIR",
      "Folder with the data set's files, for the mistakes (default $FASHION_MNIST_DIR, data/fashion-mnist)",
    ),
    quiet: flag("Print only errors"),
  },
  notes:
    "MODEL is a name or a folder. Plots that show images which must not be distributed go to data/reports,\n" +
    "which git ignores.",
} satisfies Command;

await runCommand(command, async ({ data, quiet }, operands) => {
  const say = quiet ? (): void => {} : note;
  const [operand, extra] = operands;
  if (operand === undefined || extra !== undefined) {
    throw new InputError("usage", `Cannot report as there must be one MODEL: ${operands.length} given`, {
      hint: `Try "${command.name} --help"`,
    });
  }
  const folder = dirname(await findModel(operand, "metrics.json"));
  const run = await readMetrics(folder);
  const model = await readModelOf(folder, run.sha256);
  if (!model) say(`No first-layer weights: there is no "${join(folder, "model.onnx")}"`);
  const images = await findImages(run, data);
  if (typeof images === "string") say(`No gallery of mistakes: ${images}`);
  // It loads ONNX Runtime, which `--help` would wait for.
  const { writeReport } = await import("../report/write.ts");
  const files = await writeReport(
    { run, ...(model && { model }), ...(typeof images !== "string" && { images }) },
    { folder, private: privateFolder(run.name) },
  );
  if (!quiet) { for (const file of files) print(shortPath(file)); }
});

/** The ONNX file beside the metrics; undefined if there is none. */
async function readModelOf(folder: string, expected: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  let model;
  try {
    model = await Deno.readFile(join(folder, "model.onnx"));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  const found = await sha256(model);
  if (found === expected) return model;
  throw new InputError(
    "conflict",
    `Cannot report on "${folder}" as the SHA-256 of model.onnx must be ${expected}, as metrics.json says: ` +
      `current value is ${found}`,
  );
}
