/** `deno task train`: the model worth deploying. */
import { MODELS_FOLDER } from "../../shared/models.ts";
import { checkDestination, writeArtifact } from "../artifact/artifact.ts";
import { BACKENDS, useBackend } from "../backend/mod.ts";
import {
  choice,
  clearProgress,
  type Command,
  duration,
  flag,
  note,
  number,
  type Option,
  percent,
  print,
  runCommand,
  showDownload,
  showProgress,
  text,
  UsageError,
} from "../cli/command.ts";
import { loadDataset } from "../dataset/mod.ts";
import { gemmOption, threadsOption } from "../cli/backend_options.ts";
import { datasetOption, folderOptions, readFolderOptions } from "../cli/dataset_options.ts";
import {
  checkpointIn,
  checkpointWriter,
  readCheckpoint,
  removeCheckpoint,
  type RunIdentity,
  runIdentity,
} from "../artifact/checkpoint.ts";
import type { TrainingListener, TrainingState } from "../learning/events.ts";
import { chooseRecipe, describe, recipeOptions } from "../cli/recipe_options.ts";
import { reproducibleCommand } from "../report/command_line.ts";
import { unsharedFolder } from "../report/places.ts";
import { TensorBoard } from "../report/tensorboard.ts";
import { train } from "../artifact/run.ts";

const modelName: Option<string> = {
  value: "NAME",
  help: "Name of the model and its folder (default the data set's)",
  // It becomes a folder's name: nothing that climbs out of --out.
  parse: (text) => /^\w[\w.-]{0,63}$/.test(text) ? text : undefined,
  accepts: '1 to 64 letters, digits, "_", "-" or ".", not beginning with "-" or "."',
};

const command = {
  name: "deno task train",
  summary: "Trains an image classifier and exports it as ONNX.",
  options: {
    dataset: datasetOption(
      "What to learn from: fashion-mnist, silhouettes, or a folder with one folder of pictures per class",
      "fashion-mnist",
    ),
    ...folderOptions,
    data: text(
      "DIR",
      "Folder with the four IDX files (default $FASHION_MNIST_DIR, data/fashion-mnist, download)",
    ),
    out: text("DIR", "Folder to write NAME to", "models"),
    name: modelName,
    ...recipeOptions,
    seed: number("Same seed, backend and machine: same file", {
      min: 0,
      max: Number.MAX_SAFE_INTEGER,
      whole: true,
      fallback: "0",
    }),
    backend: choice(["auto", ...BACKENDS], "Device", "auto"),
    tensorboard: text("DIR", "Writes event files for TensorBoard to DIR/NAME"),
    gemm: gemmOption,
    threads: threadsOption,
    resume: flag("Goes on where a run with the same options was interrupted"),
    restart: flag("Throws away what an interrupted run has left, and begins again"),
    "dry-run": flag("A few batches through everything, nothing kept"),
    quiet: flag("Prints only the result"),
    json: flag("Prints the result as JSON"),
  },
  notes: [
    "--recipe quickstart has other defaults: 5 epochs, batches of 64, sgd, and none of the rest.",
    "After each epoch a checkpoint is written to NAME's folder; it is removed when the model is there.",
    "Exit codes: 0 done, 2 wrong option, 69 no data set to be had, 130 stopped by Ctrl-C, 1 any other error.",
  ].join("\n"),
} satisfies Command<Record<string, Option<unknown>>>;

/** How often the loss is read for the progress bar: reading waits for the device. */
const PROGRESS_STEPS = 10;

await runCommand(command, async (values, _operands, signal) => {
  if (values.resume && values.restart) {
    throw new UsageError("Option --resume must be given without --restart");
  }
  const dryRun = values["dry-run"] ?? false;
  const say = values.quiet ? (): void => {} : note;

  const source = values.dataset ?? "fashion-mnist";
  const dataset = await loadDataset(source, {
    ...await readFolderOptions(source, values),
    onNote: say,
    ...(values.data !== undefined && { data: values.data }),
    signal,
    onProgress: showDownload,
  });
  clearProgress();
  const recipe = chooseRecipe(dataset, dryRun ? { ...values, epochs: 1 } : values);
  const name = values.name ?? dataset.name + (recipe.name === "default" ? "" : `-${recipe.name}`);
  const folder = `${values.out ?? MODELS_FOLDER}/${name}`;
  await checkDestination(folder, dataset.name);

  if (dataset.name === "silhouettes") {
    say("NOTE: these are silhouettes drawn by code, not photographs: the model is for trying things out");
  }
  say(`Data: ${dataset.name}, ${dataset.train.count} + ${dataset.test.count} images, ${dataset.source}`);
  if (source === dataset.source) say(`Classes: ${listSome(dataset.labels)}`);
  const backend = await useBackend(values.backend ?? "auto", values.gemm, values.threads);
  say(`Device: ${backend.name} (${backend.reason})`);
  if (backend.hint) say(backend.hint);
  const seed = values.seed ?? 0;
  say(`Recipe: ${describe(recipe)}, seed ${seed}`);
  if (dryRun) say("Dry run: three batches through everything, nothing kept");

  const identity = runIdentity({ dataset, recipe, seed, backend });
  const state = dryRun ? undefined : await findCheckpoint(folder, identity, values);
  if (state) say(`Going on after epoch ${state.epochs.length}`);

  const board = values.tensorboard === undefined || dryRun
    ? undefined
    : await TensorBoard.open(values.tensorboard, {
      name,
      dataset: dataset.name,
      recipe,
      seed,
      backend: backend.name,
      step: state?.steps ?? 0,
    });

  let epochsDone = state?.epochs.length ?? 0;
  const run = train({
    name,
    dataset,
    recipe,
    seed,
    backend,
    signal,
    ...(state && { state }),
    ...(dryRun && { maxSteps: 3 }),
    listeners: [
      {
        onStart: ({ model }): void => {
          say(`Model: ${model.sizes.join("-")}, ${model.parameterCount.toLocaleString("en")} parameters`);
        },
        onEpoch: ({ epoch }): void => {
          if (!dryRun) epochsDone = epoch;
        },
      },
      ...(dryRun ? [] : [checkpointWriter(folder, identity)]),
      ...(board ? [boardListener(board)] : []),
      ...(values.quiet ? [] : [progressListener(recipe.epochs)]),
    ],
  });
  const result = await run.catch((error) => {
    clearProgress();
    if (epochsDone > 0) {
      note(`Kept: what was learnt in ${epochsDone} of ${recipe.epochs} epochs. --resume goes on from there`);
    }
    throw error;
  });

  const destination = dryRun ? await Deno.makeTempDir({ prefix: "selvedge-" }) : folder;
  const made = { ...result, command: reproducibleCommand(Deno.args, { seed, backend }) };
  const file = await writeArtifact(destination, result.artifact, made);
  // Loaded only now, as nothing before needs a library that draws.
  const { writeRunReport } = await import("../report/write.ts");
  const unshared = dryRun ? destination : unsharedFolder(name);
  await writeRunReport(destination, unshared, dataset);
  if (dryRun) await Deno.remove(destination, { recursive: true });
  else await removeCheckpoint(folder);

  const { metrics, maxDifference, bytes } = result.artifact;
  if (values.json) {
    const { validation, test } = metrics;
    const { bestEpoch, seconds } = result;
    print(JSON.stringify({
      file: dryRun ? null : file,
      bytes: bytes.length,
      backend: backend.name,
      seconds: Math.round(seconds * 10) / 10,
      best_epoch: bestEpoch,
      validation,
      test,
    }));
    return;
  }
  say(
    `Trained in ${duration(result.seconds)}${
      result.bestEpoch === undefined
        ? ""
        : `; the best validation accuracy was that of epoch ${result.bestEpoch}`
    }`,
  );
  say(`ONNX Runtime agrees with TensorFlow.js within ${maxDifference.toExponential(1)}`);
  print(`Test accuracy ${percent(metrics.test.accuracy, 2)}, average loss ${metrics.test.loss.toFixed(4)}`);
  print(
    dryRun ? "Dry run passed; nothing was kept" : `Saved ${file} (${(bytes.length / 1e6).toFixed(2)} MB)`,
  );
});

/** Draws a progress bar during an epoch, and prints a line after it. */
function progressListener(epochs: number): TrainingListener {
  let epochsBefore = 0, startedMs = 0, epochStartedMs = 0;
  return {
    onStart({ epochsDone }): void {
      epochsBefore = epochsDone;
      startedMs = epochStartedMs = performance.now();
    },
    async onStep({ epoch, step, images, imagesPerEpoch, readLoss }): Promise<void> {
      if (step % PROGRESS_STEPS !== 0) return;
      const loss = await readLoss();
      const imagesPerSecond = images / (performance.now() - epochStartedMs) * 1000;
      const done = epoch - 1 - epochsBefore + images / imagesPerEpoch;
      const left = (performance.now() - startedMs) / 1000 * (epochs - epochsBefore - done) / done;
      showProgress(
        `epoch ${epoch}/${epochs}`,
        images / imagesPerEpoch,
        `loss ${loss.toFixed(3)}  ${Math.round(imagesPerSecond)} images/s  ${duration(left)} left`,
      );
    },
    onEpoch({ epoch, trainLoss, validation, imagesPerSecond }): void {
      clearProgress();
      epochStartedMs = performance.now();
      const score = validation
        ? `  validation ${percent(validation.accuracy, 2)}, loss ${validation.loss.toFixed(4)}`
        : "";
      const count = `${String(epoch).padStart(String(epochs).length)}/${epochs}`;
      note(`epoch ${count}  loss ${trainLoss.toFixed(4)}${score}  ${Math.round(imagesPerSecond)} images/s`);
    },
  };
}

/** Writes the measurements for TensorBoard. */
function boardListener(board: TensorBoard): TrainingListener {
  let epochStartedMs = performance.now(), steps = 0;
  return {
    async onStep({ step, totalSteps, images, readLoss }): Promise<void> {
      steps = totalSteps;
      if (step === 1) epochStartedMs = performance.now();
      if (step % PROGRESS_STEPS !== 0) return;
      const imagesPerSecond = images / (performance.now() - epochStartedMs) * 1000;
      board.step(totalSteps, { loss: await readLoss(), imagesPerSecond });
    },
    onEpoch: (summary) => board.epoch(steps, summary),
  };
}

/**
 * Where an interrupted run stands, if it is to go on.
 *
 * @throws {Error} if there is one, and nobody said what is to become of it
 */
async function findCheckpoint(
  folder: string,
  identity: RunIdentity,
  { resume = false, restart = false }: { resume?: boolean; restart?: boolean },
): Promise<TrainingState | undefined> {
  if (restart) await removeCheckpoint(folder);
  else if (resume) {
    const state = await readCheckpoint(folder, identity);
    if (state) return state;
    note(`Nothing to resume in "${folder}": this run begins`);
  } else if (await Deno.stat(checkpointIn(folder)).then(() => true, () => false)) {
    throw new Error(
      `Cannot begin a run in "${folder}" as an interrupted one is there. ` +
        "Go on with it by --resume, or throw it away by --restart",
    );
  }
  return undefined;
}

function listSome(labels: readonly string[]): string {
  return labels.slice(0, 10).join(", ") + (labels.length > 10 ? ` and ${labels.length - 10} more` : "");
}
