/** `deno task quickstart`: PyTorch's quickstart from data to prediction, printed as the tutorial prints it. */
import { Classifier } from "../../shared/inference/classifier.ts";
import { MODELS_FOLDER } from "../../shared/models.ts";
import { checkDestination, writeArtifact } from "../artifact/artifact.ts";
import { BACKENDS, useBackend } from "../backend/mod.ts";
import {
  choice,
  clearProgress,
  type Command,
  duration,
  note,
  number,
  type Option,
  percent,
  print,
  runCommand,
  showDownload,
  showProgress,
  text,
} from "../cli/command.ts";
import { gemmOption, threadsOption } from "../cli/backend_options.ts";
import { type Dataset, DatasetUnavailableError, loadDataset } from "../dataset/mod.ts";
import { explainLinear, studyLinear } from "./linear_study.ts";
import { RECIPES } from "../learning/recipe.ts";
import { train } from "../artifact/run.ts";
import type { TrainingListener } from "../learning/events.ts";
import type { Mlp } from "../learning/mlp.ts";
import { score } from "../learning/validation.ts";
import { drawImages } from "../cli/terminal_image.ts";

const RULE = "-".repeat(31);
const STAND_IN = "NOTE: Fashion-MNIST could not be had, so these are silhouettes drawn by code: " +
  "the numbers are not the tutorial's";

const command = {
  name: "deno task quickstart",
  summary: "PyTorch's quickstart in TypeScript: data, model, training, test, ONNX, prediction.",
  options: {
    data: text(
      "DIR",
      "Folder with the four IDX files (default $FASHION_MNIST_DIR, data/fashion-mnist, download)",
    ),
    backend: choice(["auto", ...BACKENDS], "Device", "auto"),
    gemm: gemmOption,
    threads: threadsOption,
    seed: number("Of the first weights", {
      min: 0,
      max: Number.MAX_SAFE_INTEGER,
      whole: true,
      fallback: "0",
    }),
  },
} satisfies Command<Record<string, Option<unknown>>>;

await runCommand(command, async (values, _operands, signal) => {
  const recipe = RECIPES.quickstart;
  const seed = values.seed ?? 0;

  // Data
  const dataset = await load(values.data, signal);
  const silhouettes = dataset.name === "silhouettes";
  if (silhouettes) print(`${STAND_IN}\n`);
  const folder = `${MODELS_FOLDER}/${dataset.name}-quickstart`;
  await checkDestination(folder, dataset.name);
  const { height, width, labels } = dataset;
  print(`Data: ${dataset.name}, ${dataset.source}`);
  print(`Shape of X [N, C, H, W]: [${recipe.batchSize}, 1, ${height}, ${width}] float32 in 0..1`);
  print(`Shape of y: [${recipe.batchSize}] uint8 class indices in 0..${labels.length - 1}\n`);
  print(drawImages(firstImages(dataset, 3), width));

  // Model
  const backend = await useBackend(values.backend ?? "auto", values.gemm, values.threads);
  print(`\nUsing ${backend.name} device: ${backend.reason}`);
  print(backend.hint ? `${backend.hint}\n` : "");
  const study = explainLinear(await studyLinear(seed));

  // Training: 5 epochs of SGD, in the files' order
  const run = await train({
    name: `${dataset.name}-quickstart`,
    dataset,
    recipe,
    seed,
    backend,
    signal,
    listeners: [tutorialListener(dataset, study)],
  });
  print(`\nDone! Trained in ${duration(run.seconds)}`);

  // Save
  const file = await writeArtifact(folder, run.artifact, run);
  print(`Saved the model to ${file}`);

  // Load, and predict
  const classifier = await Classifier.load(await Deno.readFile(file));
  const { images, labels: actual } = dataset.test;
  const { probabilities } = await classifier.run(images.subarray(0, height * width));
  const best = classifier.top(probabilities, 1)[0]![0]!;
  print("Loaded it with ONNX Runtime");
  print(`Predicted: "${best.label}", Actual: "${labels[actual[0]!]}"`);
  await classifier.close();

  if (silhouettes) print(`\n${STAND_IN}`);
  print("\nNext: deno task train makes a model worth deploying, deno task serve answers requests with it");
});

/** Prints the model, the losses and the test results as the tutorial does. */
function tutorialListener(dataset: Dataset, study: string): TrainingListener {
  let trained: Mlp | undefined, startedMs = 0;
  return {
    onStart({ model }): void {
      trained = model;
      print(`${model}\n${model.parameterCount.toLocaleString("en")} parameters\n\n${study}`);
    },
    async onStep({ epoch, step, images, imagesPerEpoch, readLoss }): Promise<void> {
      if (step === 1) {
        print(`\nEpoch ${epoch}\n${RULE}`);
        startedMs = performance.now();
      }
      // The tutorial prints before every hundredth batch, counting from 0.
      if (step % 100 === 1) {
        const loss = await readLoss();
        clearProgress();
        print(`loss: ${loss.toFixed(6)}  [${String(images).padStart(5)}/${imagesPerEpoch}]`);
      }
      if (step % 10 === 0) {
        const imagesPerSecond = images / (performance.now() - startedMs) * 1000;
        showProgress(`epoch ${epoch}`, images / imagesPerEpoch, `${Math.round(imagesPerSecond)} images/s`);
      }
    },
    async onEpoch(): Promise<void> {
      clearProgress();
      const { accuracy, loss } = await score(trained!, dataset.test, dataset);
      print(`Test Error:\n Accuracy: ${percent(accuracy)}, Avg loss: ${loss.toFixed(6)}`);
    },
  };
}

function firstImages(
  { train: { images, labels: classes }, labels, width, height }: Dataset,
  count: number,
): { pixels: Uint8Array; label: string }[] {
  const size = width * height;
  return Array.from({ length: count }, (_, i) => ({
    pixels: images.subarray(i * size, (i + 1) * size),
    label: labels[classes[i]!]!,
  }));
}

async function load(data: string | undefined, signal: AbortSignal): Promise<Dataset> {
  const options = { signal, onProgress: showDownload };
  try {
    return await loadDataset("fashion-mnist", { ...options, ...(data !== undefined && { data }) });
  } catch (error) {
    if (!(error instanceof DatasetUnavailableError)) throw error;
    clearProgress();
    note(error.message);
    return await loadDataset("silhouettes", options);
  } finally {
    clearProgress();
  }
}
