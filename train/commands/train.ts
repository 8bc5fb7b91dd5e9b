/** `deno task train`: trains an image classifier and exports it as ONNX. */
import { join } from "node:path";
import { isModelName } from "../../shared/contract.ts";
import { InputError } from "../../shared/errors.ts";
import { count, duration, percent } from "../../shared/format.ts";
import { MODELS_FOLDER, shortPath } from "../../shared/models.ts";
import { toSnakeCase } from "../../shared/naming.ts";
import {
  checkpointIn,
  type CheckpointWriter,
  checkpointWriter,
  readCheckpoint,
  removeCheckpoint,
  type RunIdentity,
  runIdentity,
} from "../artifact/checkpoint.ts";
import type { TrainResult } from "../artifact/run.ts";
import type { Backbone } from "../backbone/backbone.ts";
import type { Backend } from "../backend/mod.ts";
import { BACKENDS } from "../backend/names.ts";
import {
  BACKBONE_TIP,
  backboneOptions,
  makeFeatures,
  photoOptions,
  readBackbone,
} from "../cli/backbone_options.ts";
import { gemmOption, threadsOption } from "../cli/backend_options.ts";
import { note, print, runCommand } from "../cli/command.ts";
import { reproducibleCommand } from "../cli/command_line.ts";
import { dataOption, datasetOption, folderOptions, readFolderOptions } from "../cli/dataset_options.ts";
import { nextSteps } from "../cli/next_steps.ts";
import {
  choice,
  type Command,
  flag,
  group,
  number,
  type Option,
  seed,
  text,
  type Values,
} from "../cli/options.ts";
import { describeBackbone, describeData, weakClasses, withInterval } from "../cli/facts.ts";
import { clearProgress, showDownload, showProgress } from "../cli/progress.ts";
import { chooseRecipe, describeRecipe, recipeOptions } from "../cli/recipe_options.ts";
import { isInShippedFolder, shippedFolder } from "../cli/shipped.ts";
import { trainingProgress } from "../cli/training_progress.ts";
import { type Dataset, DATASETS, loadDataset } from "../dataset/mod.ts";
import { KEEP } from "../familiarity/measure.ts";
import { lockFolder } from "../files/folder_lock.ts";
import type { TrainingListener, TrainingState } from "../learning/events.ts";
import type { Recipe } from "../learning/recipe.ts";
import { privateFolder } from "../report/places.ts";
import { TensorBoard, tensorBoardListener } from "../report/tensorboard.ts";

/** As many fit into two rows of the page. */
const MAX_EXAMPLES = 20;

const modelName: Option<string> = {
  value: "NAME",
  help: "Name of the model and of its folder (default: the data set's)",
  // It becomes a folder's name: it must not lead out of --out.
  parse: (text) => /^\w[\w.-]{0,63}$/.test(text) && isModelName(text) ? text : undefined,
  accepts: '1 to 64 letters, digits, "_", "-" or ".", not beginning with "-" or "." and not "stats"',
};

const command = {
  name: "deno task train",
  summary: "Train an image classifier and export it as ONNX.",
  options: {
    ...group("Data", {
      dataset: datasetOption(
        "Data set: fashion-mnist, silhouettes, or a folder with one folder of pictures per class",
        "fashion-mnist",
      ),
      data: dataOption,
      ...folderOptions,
    }),
    ...group("Backbone", backboneOptions),
    ...recipeOptions,
    ...group("Run", {
      seed: seed("Seed of all random numbers: same seed, backend and machine give the same file"),
      backend: choice(["auto", ...BACKENDS], "Device", "auto"),
      gemm: gemmOption,
      threads: threadsOption,
      resume: flag("Continue an interrupted run with the same options"),
      restart: flag("Discard the checkpoint of an interrupted run and start over"),
      "dry-run": flag("Run three batches through all stages without keeping the result"),
    }),
    ...group("Output", {
      name: modelName,
      keep: number(
        "Share of the validation images that count as familiar; 0 omits the output familiarity",
        { min: 0, max: 0.9999, fallback: String(KEEP) },
      ),
      out: text("DIR", "Folder that the model's folder is written to", "models"),
      "replace-shipped": flag("Write to shared/artifacts, replacing the model that ships with the project"),
      examples: number(
        "Number of test pictures that are written beside the model, for the page of the server to show to everybody: " +
          "only for pictures whose licence and people allow it",
        { min: 1, max: MAX_EXAMPLES, whole: true },
      ),
      tensorboard: text("DIR", "Write event files for TensorBoard to DIR/NAME"),
      quiet: flag("Print only the result"),
      json: flag("Print the result as JSON"),
    }),
  },
  notes: [
    "Defaults of --recipe quickstart: 5 epochs, batches of 64, plain SGD, no regularization, no validation images.",
    "A checkpoint is written to NAME's folder after an epoch, at most every ten seconds and when the run is stopped",
    "with Ctrl+C, and removed at the end of the run.",
    "Exit codes: 0 success, 2 wrong option, 69 data set, device or folder unavailable, 130 interrupted, 1 other errors.",
  ].join("\n"),
} satisfies Command;

type TrainValues = Values<typeof command.options>;

/** Everything that is decided before the training starts. */
interface Plan {
  name: string;
  /** Where the model is written. */
  folder: string;
  dataset: Dataset;
  /** What made the features of the data set, if there is one. */
  backbone?: Backbone;
  recipe: Recipe;
  seed: number;
  backend: Backend;
}

await runCommand(command, async (values, _operands, signal) => {
  const say = values.quiet ? (): void => {} : note;
  using locks = new DisposableStack();
  const plan = await makePlan(values, signal, say, locks);
  const identity = runIdentity(plan);
  const state = values["dry-run"] ? undefined : await findCheckpoint(plan.folder, identity, values);
  if (state) say(`Resuming after epoch ${state.epochs.length}`);
  const result = await runTraining(plan, values, {
    signal,
    ...(state && { state }),
    ...(!values["dry-run"] && { checkpoints: checkpointWriter(plan.folder, identity) }),
    listeners: await listenersOf(plan, values, state?.steps ?? 0),
  });
  const written = await writeResult(plan, values, result);
  if (values.json) printJson(plan, result, written?.file);
  else await printSummary(result, written, say);
});

/** @param locks receives the lock of the model's folder; a dry run writes nothing there */
async function makePlan(
  values: TrainValues,
  signal: AbortSignal,
  say: typeof note,
  locks: DisposableStack,
): Promise<Plan> {
  checkUsage(values);
  const source = values.dataset ?? "fashion-mnist";
  const isFolder = !(DATASETS as readonly string[]).includes(source);
  const opened = await readBackbone(values, signal);
  if (opened && !isFolder) {
    throw new InputError(
      "usage",
      `Option --backbone is for a folder of photographs, named by --dataset DIR: current data set is "${source}"`,
    );
  }
  const loaded = await loadDataset(source, {
    ...await readFolderOptions(source, values),
    ...(opened && photoOptions(opened, values)),
    ...(values.data !== undefined && { data: values.data }),
    signal,
    onNote: say,
    onProgress: showDownload,
  });
  clearProgress();
  const name = values.name ?? loaded.name + (values.recipe === "quickstart" ? "-quickstart" : "");
  const folder = await chooseFolder(values, name, say);
  // Modules that need a second to load are imported where they are used, as `--help` would wait for them.
  const { checkDestination } = await import("../artifact/artifact.ts");
  await checkDestination(folder, loaded.name);
  if (!values["dry-run"]) locks.use(await lockFolder(folder));

  for (const line of describeData(loaded, isFolder)) say(line);
  if (opened) say(describeBackbone(opened));
  else if (isFolder) say(BACKBONE_TIP);
  const { backbone, dataset } = opened
    ? await makeFeatures(opened, loaded, values, say, signal)
    : { backbone: undefined, dataset: loaded };
  const { recipe, reasons } = chooseRecipe(dataset, values["dry-run"] ? { ...values, epochs: 1 } : values);
  const { useBackend } = await import("../backend/mod.ts");
  const backend = await useBackend(values.backend ?? "auto", values.gemm, values.threads);
  say(`Device: ${backend.name} (${backend.reason})`);
  if (backend.hint) say(backend.hint);
  const seed = values.seed ?? 0;
  say(`Recipe: ${describeRecipe(recipe)}, seed ${seed}`);
  for (const reason of reasons) say(`  ${reason}`);
  if (values["dry-run"]) say("Dry run: three batches through all stages, nothing is kept");
  return { name, folder, dataset, recipe, seed, backend, ...(backbone && { backbone }) };
}

function checkUsage(values: TrainValues): void {
  if (values.examples !== undefined && (values.dataset ?? "fashion-mnist") === "fashion-mnist") {
    throw new InputError(
      "usage",
      "Cannot write examples of Fashion-MNIST as its images may not be distributed: the page shows drawings instead",
    );
  }
  for (const [one, other] of [["resume", "restart"], ["out", "replace-shipped"]] as const) {
    if (values[one] === undefined || values[other] === undefined) continue;
    throw new InputError("usage", `Option --${one} must be given without --${other}`);
  }
}

/** The folder to write to; that of the shipped model only on request. */
async function chooseFolder(values: TrainValues, name: string, say: typeof note): Promise<string> {
  if (values["replace-shipped"]) {
    const { folder, current } = await shippedFolder(name);
    say(`Replaces ${current}`);
    return folder;
  }
  const folder = join(values.out ?? MODELS_FOLDER, name);
  if (!await isInShippedFolder(folder)) return folder;
  throw new InputError(
    "conflict",
    `Cannot write the model to "${folder}" as models there ship with the project`,
    {
      hint: "Choose another --out, or replace the shipped model with --replace-shipped",
    },
  );
}

/**
 * The state of an interrupted run to resume.
 *
 * @throws {InputError} `conflict` if there is one, and neither --resume nor --restart is given
 */
async function findCheckpoint(
  folder: string,
  identity: RunIdentity,
  { resume, restart }: TrainValues,
): Promise<TrainingState | undefined> {
  if (restart) await removeCheckpoint(folder);
  else if (resume) {
    const state = await readCheckpoint(folder, identity);
    if (!state) note(`No checkpoint in "${folder}": starting a new run`);
    return state;
  } else if (await Deno.stat(checkpointIn(folder)).then(() => true, () => false)) {
    throw new InputError(
      "conflict",
      `Cannot start a run in "${folder}" as there is a checkpoint of an interrupted one`,
      {
        hint: "Continue it with --resume, or discard it with --restart",
      },
    );
  }
  return undefined;
}

async function listenersOf(
  { name, dataset, recipe, seed, backend }: Plan,
  values: TrainValues,
  step: number,
): Promise<TrainingListener[]> {
  const board = !values["dry-run"] && values.tensorboard !== undefined &&
    await TensorBoard.open(values.tensorboard, {
      name,
      dataset: dataset.name,
      recipe,
      seed,
      backend: backend.name,
      step,
    });
  return [
    ...(board ? [tensorBoardListener(board)] : []),
    ...(values.quiet ? [] : [modelSummary(), trainingProgress(recipe.epochs)]),
  ];
}

function modelSummary(): TrainingListener {
  return {
    onStart: ({ model }) =>
      note(`Model: ${model.sizes.join("-")}, ${count(model.parameterCount)} parameters`),
  };
}

/** Trains; if that is interrupted, it reports what the checkpoint has. */
async function runTraining(
  { name, dataset, backbone, recipe, seed, backend }: Plan,
  values: TrainValues,
  { checkpoints, ...options }: {
    listeners: TrainingListener[];
    signal: AbortSignal;
    checkpoints?: CheckpointWriter;
    state?: TrainingState;
  },
): Promise<TrainResult> {
  const dryRun = values["dry-run"] ?? false;
  let epochsDone = options.state?.epochs.length ?? 0;
  const counter: TrainingListener = { onEpoch: ({ epoch }) => void (epochsDone = epoch) };
  try {
    const { train } = await import("../artifact/run.ts");
    const result = await train({
      ...{ name, dataset, recipe, seed, backend, ...options },
      ...(backbone && { backbone }),
      ...(dryRun && { maxSteps: 3 }),
      ...(values.keep !== undefined && { keep: values.keep }),
      onFold: ({ fold, folds }) =>
        values.quiet || showProgress("Cross-validating", (fold - 1) / folds, `fold ${fold} of ${folds}`),
      listeners: [...(checkpoints ? [checkpoints] : []), counter, ...options.listeners],
    });
    await checkpoints?.flush();
    return result;
  } catch (error) {
    clearProgress();
    await checkpoints?.flush();
    if (epochsDone > 0 && !dryRun) {
      note(`Checkpoint kept after ${epochsDone} of ${recipe.epochs} epochs; continue with --resume`);
    }
    throw error;
  }
}

/** The files of a run. */
interface Written {
  /** The ONNX file. */
  file: string;
  /** The model card and the plots. */
  report: string[];
}

/** Writes the model and its report; a dry run does so in a temporary folder. */
async function writeResult(
  { name, folder, dataset, seed, backend }: Plan,
  values: TrainValues,
  result: TrainResult,
): Promise<Written | undefined> {
  const dryRun = values["dry-run"] ?? false;
  const destination = dryRun ? await Deno.makeTempDir({ prefix: "selvedge-" }) : folder;
  const made = reproducibleCommand(command.options, Deno.args, { seed, backend });
  const { writeArtifact } = await import("../artifact/artifact.ts");
  const file = await writeArtifact(destination, result.artifact, { ...result, command: made });
  // Imported here, as the plots need a large library that nothing else does.
  const { writeRunReport } = await import("../report/write.ts");
  const report = await writeRunReport(
    destination,
    dryRun ? destination : privateFolder(name),
    dataset,
    values.examples,
  );
  if (!dryRun) {
    await removeCheckpoint(folder);
    return { file, report };
  }
  await Deno.remove(destination, { recursive: true });
  return undefined;
}

function printJson(
  { backend }: Plan,
  { artifact, bestEpoch, seconds }: TrainResult,
  file: string | undefined,
): void {
  const { metrics: { validation, test }, familiarity } = artifact;
  print(JSON.stringify(toSnakeCase({
    file: file ?? null,
    bytes: artifact.bytes.length,
    backend: backend.name,
    seconds: Math.round(seconds * 10) / 10,
    bestEpoch,
    validation,
    test,
    ...(familiarity && { familiarity: { threshold: familiarity.threshold, test: familiarity.test } }),
  })));
}

async function printSummary(
  { artifact: { bytes, metrics, evaluation, familiarity, maxDifference }, bestEpoch, epochs, seconds }:
    TrainResult,
  written: Written | undefined,
  say: typeof note,
): Promise<void> {
  const best = bestEpoch === undefined || bestEpoch === epochs.length
    ? ""
    : `; epoch ${bestEpoch} was the best on the validation images and is kept`;
  say(`Trained in ${duration(seconds)}${best}`);
  say(`ONNX Runtime and TensorFlow.js agree within ${maxDifference.toExponential(1)}`);
  for (const line of weakClasses(evaluation)) say(line);
  if (metrics.validation?.folds !== undefined) {
    say(
      `Cross-validation accuracy ${withInterval(metrics.validation)}, in ${metrics.validation.folds} folds`,
    );
  }
  print(`Test accuracy ${withInterval(metrics.test)}, average loss ${metrics.test.loss.toFixed(4)}`);
  if (familiarity) {
    print(
      `Familiar: ${percent(familiarity.test.kept)} of the test images, ` +
        `${percent(familiarity.validation.kept)} of the images it was calibrated on`,
    );
  }
  if (written === undefined) return print("Dry run passed; nothing was kept");
  print(`Saved ${shortPath(written.file)} (${(bytes.length / 1e6).toFixed(2)} MB)`);
  say();
  for (const line of await nextSteps(written.file, written)) say(line);
}
