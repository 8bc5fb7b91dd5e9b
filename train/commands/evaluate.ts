/** `deno task evaluate`: measures an ONNX file with ONNX Runtime on a test split. */
import type { ModelDescription } from "../../shared/contract.ts";
import { InputError } from "../../shared/errors.ts";
import { percent } from "../../shared/format.ts";
import { readModel, SHIPPED_MODEL } from "../../shared/models.ts";
import { note, print, runCommand } from "../cli/command.ts";
import { dataOption, datasetOption } from "../cli/dataset_options.ts";
import { type Command, flag, text } from "../cli/options.ts";
import { clearProgress, showDownload, showProgress } from "../cli/progress.ts";
import { displayWidth, fitTable, formatTable, terminalWidth } from "../cli/table.ts";
import { type Dataset, type DatasetOptions, isBuiltIn, loadDataset } from "../dataset/mod.ts";
import { evaluate, type Evaluation, type FileEvaluation } from "../evaluation/evaluation.ts";

/** With more classes, the confusion matrix is hard to read even without a terminal's limit. */
const MAX_CONFUSION = 25;

/** Confusions that are listed where the matrix is too wide. */
const LISTED_CONFUSIONS = 10;

const command = {
  name: "deno task evaluate",
  summary: "Measure an ONNX file on the test split with ONNX Runtime.",
  options: {
    model: text(
      "NAME|FILE",
      "The model: a name, a folder or an ONNX file",
      "the model that ships with the project",
    ),
    dataset: datasetOption(
      "Data set whose test split is used: fashion-mnist, silhouettes, or a folder (default: that of the training)",
    ),
    data: dataOption,
    json: flag("Print the result as JSON"),
  },
} satisfies Command;

await runCommand(command, async (values, _operands, signal) => {
  const { file, bytes } = await readModel(values.model ?? SHIPPED_MODEL);
  // It takes half a second, which `--help` would wait for.
  const { Classifier } = await import("../../shared/inference/classifier.ts");
  const classifier = await Classifier.load(bytes);
  const { description } = classifier;
  const source = values.dataset ?? sourceOf(description);
  const dataset = await loadDataset(source, {
    ...(!isBuiltIn(source) && folderOptions(description)),
    ...(values.data !== undefined && { data: values.data }),
    signal,
    onProgress: showDownload,
    onNote: note,
  });
  clearProgress();
  checkFit(description, dataset);
  warn(description, dataset);
  const evaluation = await evaluate(classifier, dataset.test, (done) => {
    signal.throwIfAborted();
    showProgress("evaluating", done / dataset.test.count);
  });
  clearProgress();
  await classifier.close();
  const { name, version } = description;
  if (values.json) {
    print(JSON.stringify({ model: { name, version, file }, dataset: dataset.name, ...evaluation }));
  } else {
    print(`${name} (${version}) on ${evaluation.images} test images of ${dataset.name}, ${dataset.source}`);
    show(evaluation);
  }
});

/** The built-in data set that the model was trained on. */
function sourceOf({ provenance }: ModelDescription): string {
  const source = provenance.dataset?.name ?? "fashion-mnist";
  if (isBuiltIn(source)) return source;
  throw new InputError(
    "not-found",
    `Cannot evaluate as the model was trained on a folder of pictures or IDX files, "${source}"`,
    { hint: "Name the folder with --dataset DIR" },
  );
}

/** Reads a folder as for the training: same size, same channels, same split. */
function folderOptions({ input, labels, preprocessing, provenance }: ModelDescription): DatasetOptions {
  const splitSeed = provenance.dataset?.splitSeed;
  return {
    ...(input.height === input.width && { imageSize: input.height }),
    ...((input.channels === 1 || input.channels === 3) && { channels: input.channels }),
    labels,
    ...(preprocessing && { preprocessing }),
    ...(splitSeed !== undefined && { splitSeed }),
  };
}

function checkFit({ labels, input }: ModelDescription, dataset: Dataset): void {
  if (labels.join() !== dataset.labels.join()) {
    throw new InputError(
      "conflict",
      `Cannot evaluate as the model's labels must be those of ${dataset.name}: ` +
        `current labels are ${labels.join(", ")}`,
    );
  }
  const [expected, found] = [input, dataset].map(({ channels, height, width }) =>
    `${channels}×${height}×${width}`
  );
  if (expected !== found) {
    throw new InputError(
      "invalid-shape",
      `Cannot evaluate as the images of ${dataset.name} must have the model's input size, ${expected}: ` +
        `current size is ${found}`,
    );
  }
}

function warn({ provenance }: ModelDescription, { name, splitSeed, sha256 }: Dataset): void {
  if (name === "silhouettes") note("NOTE: these are silhouettes drawn by code, not photographs");
  if (splitSeed !== undefined && sha256 !== provenance.dataset?.sha256) {
    note(
      "NOTE: these images differ from the training data, and the folder has no test split: " +
        "some test images may have been training images",
    );
  }
}

function show(evaluation: FileEvaluation): void {
  const { accuracy, loss, ece, familiarity } = evaluation;
  print(
    `Accuracy ${percent(accuracy, 2)}, average loss ${loss.toFixed(4)}, calibration error ${percent(ece, 2)}`,
  );
  if (familiarity) print(describeKept(familiarity));
  print();
  print(classTable(evaluation));
  print();
  const matrix = confusionTable(evaluation), width = terminalWidth() ?? Infinity;
  const fits = evaluation.classes.length <= MAX_CONFUSION &&
    matrix.split("\n").every((line) => displayWidth(line) <= width);
  print(fits ? matrix : frequentConfusions(evaluation));
}

/** What the model rejects as unfamiliar, and how good it is on the rest. */
function describeKept(
  { threshold, kept, accuracy, ece }: NonNullable<FileEvaluation["familiarity"]>,
): string {
  const rejected = `Unfamiliar (familiarity below ${threshold}): ${percent(1 - kept, 2)} of the images`;
  if (accuracy === undefined || ece === undefined) return rejected;
  return `${rejected}; on the others accuracy ${percent(accuracy, 2)}, calibration error ${percent(ece, 2)}`;
}

function classTable({ classes }: Evaluation): string {
  const rows = classes.map(({ label, precision, recall, f1, images }) => [
    label,
    percent(precision),
    percent(recall),
    percent(f1),
    String(images),
  ]);
  return fitTable([["class", "precision", "recall", "F1", "images"], ...rows], terminalWidth());
}

function confusionTable({ classes, confusion }: Evaluation): string {
  const heads = classes.map(({ label }) => label.slice(0, 7));
  const rows = confusion.map((row, i) => [classes[i]!.label, ...row.map((n) => n ? String(n) : "·")]);
  return `Rows are actual classes, columns are predictions\n${formatTable([["", ...heads], ...rows])}`;
}

/** The pairs of classes that are confused most often, where the whole matrix would not fit. */
function frequentConfusions({ classes, confusion }: Evaluation): string {
  const pairs = confusion.flatMap((row, actual) =>
    row.map((count, predicted) => ({ actual, predicted, count })).filter(({ predicted }) =>
      predicted !== actual
    )
  ).filter(({ count }) => count > 0).sort((a, b) => b.count - a.count).slice(0, LISTED_CONFUSIONS);
  const rows = pairs.map(({ actual, predicted, count }) => [
    `${classes[actual]!.label} → ${classes[predicted]!.label}`,
    String(count),
  ]);
  return `Most frequent confusions; --json prints all\n${
    fitTable([["actual → predicted", "images"], ...rows], terminalWidth())
  }`;
}
