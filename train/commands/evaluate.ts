/** `deno task evaluate`: how good an ONNX file is, measured with ONNX Runtime on the test split. */
import type { ModelDescription } from "../../shared/contract.ts";
import { Classifier } from "../../shared/inference/classifier.ts";
import {
  clearProgress,
  type Command,
  flag,
  note,
  type Option,
  percent,
  print,
  runCommand,
  showDownload,
  showProgress,
  text,
} from "../cli/command.ts";
import { type Dataset, type DatasetOptions, DATASETS, loadDataset } from "../dataset/mod.ts";
import { datasetOption } from "../cli/dataset_options.ts";
import { evaluate, type Evaluation } from "../evaluation/evaluation.ts";
import { DEFAULT_MODEL, readModel } from "../cli/model_file.ts";

/** Classes whose confusion still fits on a screen. */
const MAX_CONFUSION = 25;

const command = {
  name: "deno task evaluate",
  summary: "Measures an ONNX file on the test split with ONNX Runtime.",
  options: {
    model: text("FILE", "The ONNX file", "shared/artifacts/fashion-mnist/model.onnx"),
    dataset: datasetOption(
      "Whose test split: fashion-mnist, silhouettes, or the folder (default what the model was trained on)",
    ),
    data: text(
      "DIR",
      "Folder with the four IDX files (default $FASHION_MNIST_DIR, data/fashion-mnist, download)",
    ),
    json: flag("Prints the result as JSON"),
  },
} satisfies Command<Record<string, Option<unknown>>>;

await runCommand(command, async (values, _operands, signal) => {
  const file = values.model ?? DEFAULT_MODEL;
  const classifier = await Classifier.load(await readModel(file));
  const { name, version, provenance } = classifier.description;
  const source = values.dataset ?? provenance.dataset?.name ?? "fashion-mnist";
  const builtIn = (DATASETS as readonly string[]).includes(source);
  if (values.dataset === undefined && !builtIn) {
    throw new Error(
      `Cannot evaluate as the model was trained on a folder of pictures or IDX files, "${source}": ` +
        "name it with --dataset DIR",
    );
  }
  const dataset = await loadDataset(source, {
    ...(!builtIn && ownOptions(classifier.description)),
    ...(values.data !== undefined && { data: values.data }),
    signal,
    onProgress: showDownload,
    onNote: note,
  });
  clearProgress();
  if (dataset.name === "silhouettes") note("NOTE: these are silhouettes drawn by code, not photographs");
  checkFit(classifier.description, dataset);
  if (!builtIn && dataset.splitSeed !== undefined && dataset.sha256 !== provenance.dataset?.sha256) {
    note(
      "NOTE: these are not the very images that the model was trained on, and they came without a test split: " +
        "some that are tested may have been learnt",
    );
  }
  const evaluation = await evaluate(classifier, dataset.test, (done) => {
    signal.throwIfAborted();
    showProgress("evaluating", done / dataset.test.count);
  });
  clearProgress();
  await classifier.close();
  if (values.json) {
    return print(JSON.stringify({ model: { name, version, file }, dataset: dataset.name, ...evaluation }));
  }
  print(`${name} (${version}) on ${evaluation.images} test images of ${dataset.name}, ${dataset.source}`);
  print(`Accuracy ${percent(evaluation.accuracy, 2)}, average loss ${evaluation.loss.toFixed(4)}\n`);
  print(classTable(evaluation));
  print();
  print(
    evaluation.classes.length <= MAX_CONFUSION
      ? confusionTable(evaluation)
      : `The confusion of ${evaluation.classes.length} classes is in the answer of --json`,
  );
});

/** A folder is read as it was for the training: same size, same channels, same split. */
function ownOptions({ input, labels, provenance }: ModelDescription): DatasetOptions {
  const splitSeed = provenance.dataset?.splitSeed;
  return {
    ...(input.height === input.width && { imageSize: input.height }),
    ...((input.channels === 1 || input.channels === 3) && { channels: input.channels }),
    labels,
    ...(splitSeed !== undefined && { splitSeed }),
  };
}

function checkFit({ labels, input }: ModelDescription, dataset: Dataset): void {
  if (labels.join() !== dataset.labels.join()) {
    throw new Error(
      `Cannot evaluate as the model's labels must be those of ${dataset.name}: ` +
        `current labels are ${labels.join(", ")}`,
    );
  }
  const [wanted, there] = [input, dataset].map(({ channels, height, width }) =>
    `${channels}×${height}×${width}`
  );
  if (wanted !== there) {
    throw new Error(
      `Cannot evaluate as the images of ${dataset.name} must be ${wanted} as the model takes them: ` +
        `current size is ${there}`,
    );
  }
}

function classTable({ classes }: Evaluation): string {
  const rows = classes.map(({ label, precision, recall, f1, images }) => [
    label,
    percent(precision),
    percent(recall),
    percent(f1),
    String(images),
  ]);
  return table([["class", "precision", "recall", "F1", "images"], ...rows]);
}

function confusionTable({ classes, confusion }: Evaluation): string {
  const heads = classes.map(({ label }) => label.slice(0, 7));
  const rows = confusion.map((row, i) => [classes[i]!.label, ...row.map((n) => n ? String(n) : "·")]);
  return `Rows are what it is, columns what it was called\n${table([["", ...heads], ...rows])}`;
}

/** The first column to the left, the others to the right. */
function table(rows: string[][]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row.map((cell, i) => i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)).join("  ")
  ).join("\n");
}
