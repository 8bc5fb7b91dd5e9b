/** `deno task train`: the model worth deploying. */
import { checkDestination, writeArtifact } from "./artifact.ts";
import { BACKENDS, GEMMS, useBackend } from "./backend.ts";
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
} from "./cli.ts";
import { type Dataset, loadDataset } from "./dataset/mod.ts";
import { datasetOption, folderOptions, readFolderOptions } from "./dataset_options.ts";
import { OPTIMIZERS, type Recipe, RECIPES } from "./recipe.ts";
import { reproducibleCommand } from "./report/command_line.ts";
import { unsharedFolder } from "./report/places.ts";
import { TensorBoard } from "./report/tensorboard.ts";
import { createModel, train } from "./run.ts";

const ARTIFACTS = new URL("../shared/artifacts", import.meta.url).pathname;

const hidden: Option<number[]> = {
  value: "N,N,…",
  help: "Features of the hidden layers",
  fallback: "512,512",
  parse(text): number[] | undefined {
    const sizes = text.split(",").map(Number);
    return sizes.length <= 8 && sizes.every((n) => Number.isInteger(n) && n >= 1 && n <= 4096)
      ? sizes
      : undefined;
  },
  accepts: "one to eight whole numbers from 1 to 4096, separated by commas",
};

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
    recipe: choice(["default", "quickstart"], "Where the other defaults come from", "default"),
    dataset: datasetOption(
      "What to learn from: fashion-mnist, silhouettes, or a folder with one folder of pictures per class",
      "fashion-mnist",
    ),
    ...folderOptions,
    data: text(
      "DIR",
      "Folder with the four IDX files (default $FASHION_MNIST_DIR, data/fashion-mnist, download)",
    ),
    out: text("DIR", "Folder of artefacts", "shared/artifacts"),
    name: modelName,
    epochs: number("Passes over the training images", { min: 1, max: 10_000, whole: true, fallback: "45" }),
    "batch-size": number("Images per step", { min: 1, max: 60_000, whole: true, fallback: "128" }),
    "learning-rate": number("Step size, at its peak", { min: 1e-9, max: 1000, fallback: "0.001" }),
    optimizer: choice(OPTIMIZERS, "How weights follow gradients", "adamw"),
    hidden,
    dropout: number("Probability to drop a hidden feature", { min: 0, max: 0.95, fallback: "0.4" }),
    seed: number("Same seed, backend and machine: same file", {
      min: 0,
      max: Number.MAX_SAFE_INTEGER,
      whole: true,
      fallback: "0",
    }),
    backend: choice(["auto", ...BACKENDS], "Device", "auto"),
    tensorboard: text("DIR", "Writes event files for TensorBoard to DIR/NAME"),
    gemm: choice(["auto", ...GEMMS], "Matrix multiplication of WASM", "auto"),
    "dry-run": flag("A few batches through everything, nothing kept"),
    quiet: flag("Prints only the result"),
    json: flag("Prints the result as JSON"),
  },
  notes: [
    "--recipe quickstart has other defaults: 5 epochs, batches of 64, sgd, no dropout.",
    "Exit codes: 0 done, 2 wrong option, 69 no data set to be had, 130 stopped by Ctrl-C, 1 any other error.",
  ].join("\n"),
} satisfies Command<Record<string, Option<unknown>>>;

/** How often the loss is read for the progress bar: reading waits for the device. */
const PROGRESS_STEPS = 10;

await runCommand(command, async (values, _operands, signal) => {
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
  const recipe = chooseRecipe(dataset, values);
  const name = values.name ?? dataset.name + (recipe.name === "default" ? "" : `-${recipe.name}`);
  const folder = `${values.out ?? ARTIFACTS}/${name}`;
  await checkDestination(folder, dataset.name);

  if (dataset.name === "silhouettes") {
    say("NOTE: these are silhouettes drawn by code, not photographs: the model is for trying things out");
  }
  say(`Data: ${dataset.name}, ${dataset.train.count} + ${dataset.test.count} images, ${dataset.source}`);
  if (source === dataset.source) say(`Classes: ${listSome(dataset.labels)}`);
  const backend = await useBackend(values.backend ?? "auto", values.gemm);
  say(`Device: ${backend.name} (${backend.reason})`);
  const seed = values.seed ?? 0;
  const model = createModel(dataset, recipe, seed);
  say(`Model: ${model.sizes.join("-")}, ${model.parameterCount.toLocaleString("en")} parameters`);
  say(`Recipe: ${describe(recipe)}, seed ${seed}`);
  if (dryRun) say("Dry run: three batches through everything, nothing kept");

  const board = values.tensorboard === undefined || dryRun
    ? undefined
    : await TensorBoard.open(values.tensorboard, {
      name,
      dataset: dataset.name,
      recipe,
      seed,
      backend: backend.name,
    });

  let steps = 0;
  let epochStart = performance.now();
  const started = epochStart;
  const result = await train(model, {
    name,
    dataset,
    recipe,
    seed,
    backend,
    signal,
    ...(dryRun && { maxSteps: 3 }),
    async onStep({ epoch, step, images, total, loss }): Promise<void> {
      steps++;
      if (step % PROGRESS_STEPS !== 0 || values.quiet && !board) return;
      const [value] = await loss.data();
      backend.check();
      const seconds = (performance.now() - epochStart) / 1000;
      board?.step(steps, { loss: value!, imagesPerSecond: images / seconds });
      const done = (epoch - 1 + images / total) / recipe.epochs;
      const left = (performance.now() - started) / 1000 * (1 - done) / done;
      if (!values.quiet) {
        showProgress(
          `epoch ${epoch}/${recipe.epochs}`,
          images / total,
          `loss ${value!.toFixed(3)}  ${Math.round(images / seconds)} images/s  ${duration(left)} left`,
        );
      }
      // Lets Ctrl-C through: the steps themselves never give way to the event loop.
      await new Promise((resolve) => setTimeout(resolve));
    },
    async onEpoch(summary): Promise<void> {
      const { epoch, trainLoss, validation, imagesPerSecond } = summary;
      clearProgress();
      await board?.epoch(steps, summary);
      epochStart = performance.now();
      const held = validation
        ? `  validation ${percent(validation.accuracy, 2)}, loss ${validation.loss.toFixed(4)}`
        : "";
      say(
        `epoch ${String(epoch).padStart(String(recipe.epochs).length)}/${recipe.epochs}  loss ${
          trainLoss.toFixed(4)
        }${held}  ${Math.round(imagesPerSecond)} images/s`,
      );
    },
  });
  model.dispose();

  const destination = dryRun ? await Deno.makeTempDir({ prefix: "selvedge-" }) : folder;
  const made = { ...result, command: reproducibleCommand(Deno.args, { seed, backend: backend.name }) };
  const file = await writeArtifact(destination, result.artifact, made);
  // Loaded only now, as nothing before needs a library that draws.
  const { writeRunReport } = await import("./report/write.ts");
  const unshared = dryRun ? destination : unsharedFolder(name);
  await writeRunReport(destination, unshared, dataset);
  if (dryRun) await Deno.remove(destination, { recursive: true });

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
  say(`Trained in ${duration(result.seconds)}; best on validation was epoch ${result.bestEpoch}`);
  say(`ONNX Runtime agrees with TensorFlow.js within ${maxDifference.toExponential(1)}`);
  print(`Test accuracy ${percent(metrics.test.accuracy, 2)}, average loss ${metrics.test.loss.toFixed(4)}`);
  print(
    dryRun ? "Dry run passed; nothing was kept" : `Saved ${file} (${(bytes.length / 1e6).toFixed(2)} MB)`,
  );
});

function chooseRecipe(
  { train, validation }: Dataset,
  values: {
    recipe?: keyof typeof RECIPES;
    epochs?: number;
    "batch-size"?: number;
    "learning-rate"?: number;
    optimizer?: Recipe["optimizer"];
    hidden?: number[];
    dropout?: number;
    "dry-run"?: boolean;
  },
): Recipe {
  const base = RECIPES[values.recipe ?? "default"];
  return {
    ...base,
    epochs: values["dry-run"] ? 1 : values.epochs ?? base.epochs,
    batchSize: values["batch-size"] ?? base.batchSize,
    learningRate: values["learning-rate"] ?? base.learningRate,
    optimizer: values.optimizer ?? base.optimizer,
    // Decoupled decay was found for AdamW; plain SGD would need a value of its own.
    weightDecay: (values.optimizer ?? base.optimizer) === "adamw" ? base.weightDecay : 0,
    hidden: values.hidden ?? base.hidden,
    dropout: values.dropout ?? base.dropout,
    // Small sets must keep most of their images to learn from.
    validation: validation ?? Math.min(base.validation, Math.floor(train.count / 10)),
  };
}

function listSome(labels: readonly string[]): string {
  return labels.slice(0, 10).join(", ") + (labels.length > 10 ? ` and ${labels.length - 10} more` : "");
}

function describe(
  { name, epochs, batchSize, optimizer, learningRate, schedule, dropout, flip }: Recipe,
): string {
  return [
    name,
    `${epochs} epochs`,
    `batches of ${batchSize}`,
    `${optimizer} ${learningRate} ${schedule}`,
    ...(dropout ? [`dropout ${dropout}`] : []),
    ...(flip ? ["mirrored"] : []),
  ].join(", ");
}
