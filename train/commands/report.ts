/** `deno task report`: writes the model card and draws the pictures of a run, from its metrics.json. */
import { sha256 } from "../../shared/sha256.ts";
import {
  type Command,
  flag,
  note,
  type Option,
  print,
  runCommand,
  text,
  UsageError,
} from "../cli/command.ts";
import { findImages } from "../report/images.ts";
import { readMetrics } from "../report/metrics.ts";
import { unsharedFolder } from "../report/places.ts";
import { writeReport } from "../report/write.ts";

const DEFAULT_FOLDER = new URL("../../shared/artifacts/fashion-mnist", import.meta.url).pathname;

const command = {
  name: "deno task report",
  summary: "Writes the model card and draws the pictures of a run, from its metrics.json and model.onnx.",
  operands: "[FOLDER]",
  options: {
    data: text(
      "DIR",
      "Folder with the data set's files, for the mistakes (default $FASHION_MNIST_DIR, data/fashion-mnist)",
    ),
    quiet: flag("Prints nothing but errors"),
  },
  notes:
    "FOLDER is shared/artifacts/fashion-mnist if it is left out. Pictures that show images which must not\n" +
    "be passed on go to data/reports, which git ignores.",
} satisfies Command<Record<string, Option<unknown>>>;

await runCommand(command, async (values, operands) => {
  if (operands.length > 1) {
    throw new UsageError(
      `Unexpected "${operands[1]}": only one FOLDER is accepted. Try "${command.name} --help"`,
    );
  }
  const folder = (operands[0] ?? DEFAULT_FOLDER).replace(/(.)\/+$/, "$1");
  const run = await readMetrics(folder);
  const model = await Deno.readFile(`${folder}/model.onnx`).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    if (!values.quiet) note(`No first-layer weights: there is no "${folder}/model.onnx"`);
    return undefined;
  });
  if (model && await sha256(model) !== run.sha256) {
    throw new Error(
      `Cannot report on "${folder}" as model.onnx must be the file that metrics.json is about, with SHA-256 ` +
        `${run.sha256}: current one is ${await sha256(model)}`,
    );
  }
  const images = run.mistakes ? await findImages(run, values.data) : "metrics.json names none";
  if (typeof images === "string" && !values.quiet) note(`No gallery of mistakes: ${images}`);
  const files = await writeReport(
    { run, ...(model && { model }), ...(typeof images !== "string" && { images }) },
    { folder, unshared: unsharedFolder(run.name) },
  );
  if (!values.quiet) { for (const file of files) print(file); }
});
