/** `deno task quickstart`: PyTorch's quickstart from data to prediction, printed as the tutorial prints it. */
import { join } from "node:path";
import { InputError } from "../../shared/errors.ts";
import { count, duration, percent } from "../../shared/format.ts";
import { MODELS_FOLDER, shortPath } from "../../shared/models.ts";
import { BACKENDS } from "../backend/names.ts";
import { gemmOption, threadsOption } from "../cli/backend_options.ts";
import { note, print, runCommand } from "../cli/command.ts";
import { dataOption } from "../cli/dataset_options.ts";
import { nextSteps } from "../cli/next_steps.ts";
import { choice, type Command, seed } from "../cli/options.ts";
import { clearProgress, showDownload, showProgress } from "../cli/progress.ts";
import { drawImages } from "../cli/terminal_image.ts";
import { type Dataset, loadDataset } from "../dataset/mod.ts";
import { lockFolder } from "../files/folder_lock.ts";
import type { TrainingListener } from "../learning/events.ts";
import type { Mlp } from "../learning/mlp.ts";
import { RECIPES } from "../learning/recipe.ts";

const RULE = "-".repeat(31);
const SUBSTITUTE = "NOTE: Fashion-MNIST is unavailable, so these are silhouettes drawn by code: " +
  "the numbers differ from the tutorial's";

const command = {
  name: "deno task quickstart",
  summary: "PyTorch's quickstart in TypeScript: data, model, training, test, ONNX, prediction.",
  options: {
    data: dataOption,
    backend: choice(["auto", ...BACKENDS], "Device", "auto"),
    gemm: gemmOption,
    threads: threadsOption,
    seed: seed("Seed of the initial weights"),
  },
} satisfies Command;

await runCommand(command, async (values, _operands, signal) => {
  // They take a second, which `--help` would wait for.
  const { checkDestination, writeArtifact } = await import("../artifact/artifact.ts");
  const { train } = await import("../artifact/run.ts");
  const { useBackend } = await import("../backend/mod.ts");
  const { explainLinear, studyLinear } = await import("./linear_study.ts");
  const recipe = RECIPES.quickstart, seed = values.seed ?? 0;
  const dataset = await load(values.data, signal);
  const name = `${dataset.name}-quickstart`, folder = join(MODELS_FOLDER, name);
  const isSubstitute = dataset.name === "silhouettes";
  await checkDestination(folder, dataset.name);
  using _lock = await lockFolder(folder);
  if (isSubstitute) print(`${SUBSTITUTE}\n`);
  printData(dataset, recipe.batchSize);

  const backend = await useBackend(values.backend ?? "auto", values.gemm, values.threads);
  print(`\nUsing ${backend.name} device: ${backend.reason}`);
  print(backend.hint ? `${backend.hint}\n` : "");
  const study = explainLinear(await studyLinear(seed));
  const run = await train({
    ...{ name, dataset, recipe, seed, backend, signal },
    keep: 0, // the tutorial's model has no output for the familiarity
    listeners: [tutorialListener(dataset, study)],
  });
  print(`\nDone! Trained in ${duration(run.seconds)}`);

  const file = await writeArtifact(folder, run.artifact, run);
  print(`Saved the model to ${shortPath(file)}`);
  await predictFirst(file, dataset);

  if (isSubstitute) print(`\n${SUBSTITUTE}`);
  print("\nNext:");
  const more = ["Train the full recipe: deno task train"];
  for (const line of await nextSteps(file, { more })) print(`  ${line}`);
});

/** The shapes and the first images. */
function printData({ name, source, height, width, labels, train }: Dataset, batchSize: number): void {
  print(`Data: ${name}, ${source}`);
  print(`Shape of X [N, C, H, W]: [${batchSize}, 1, ${height}, ${width}] float32 in 0..1`);
  print(`Shape of y: [${batchSize}] uint8 class indices in 0..${labels.length - 1}\n`);
  const size = width * height;
  const images = Array.from({ length: 3 }, (_, i) => ({
    pixels: train.images.subarray(i * size, (i + 1) * size),
    label: labels[train.labels[i]!]!,
  }));
  print(drawImages(images, width));
}

/** Prints the model, the losses and the test results as the tutorial does. */
function tutorialListener(dataset: Dataset, study: string): TrainingListener {
  let trained: Mlp | undefined, startedMs = 0;
  return {
    onStart({ model }): void {
      trained = model;
      print(`${model}\n${count(model.parameterCount)} parameters\n\n${study}`);
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
      const { score } = await import("../learning/validation.ts");
      const { accuracy, loss } = await score(trained!, dataset.test, dataset);
      print(`Test Error:\n Accuracy: ${percent(accuracy)}, Avg loss: ${loss.toFixed(6)}`);
    },
  };
}

/** Loads the file with ONNX Runtime and classifies the first test image. */
async function predictFirst(file: string, { test, height, width, labels }: Dataset): Promise<void> {
  const { Classifier } = await import("../../shared/inference/classifier.ts");
  const classifier = await Classifier.load(await Deno.readFile(file));
  const { probabilities } = await classifier.run(test.images.subarray(0, height * width));
  const best = classifier.top(probabilities, 1)[0]![0]!;
  print("Loaded it with ONNX Runtime");
  print(`Predicted: "${best.label}", Actual: "${labels[test.labels[0]!]}"`);
  await classifier.close();
}

async function load(data: string | undefined, signal: AbortSignal): Promise<Dataset> {
  const options = { signal, onProgress: showDownload };
  try {
    return await loadDataset("fashion-mnist", { ...options, ...(data !== undefined && { data }) });
  } catch (error) {
    if (!(error instanceof InputError && error.code === "unavailable")) throw error;
    clearProgress();
    note(error.message);
    return await loadDataset("silhouettes", options);
  } finally {
    clearProgress();
  }
}
