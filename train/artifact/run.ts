/**
 * A whole run, from a data set to a measured ONNX model in memory: what `deno task train`, `deno task quickstart`
 * and the library share.
 *
 * @module
 */
import config from "../../deno.json" with { type: "json" };
import { type Backend, useBackend } from "../backend/mod.ts";
import { checkDataset } from "../dataset/check.ts";
import type { Dataset } from "../dataset/mod.ts";
import { fit, type FitOptions, type FitResult } from "../learning/fit.ts";
import { Mlp, mlpSizes } from "../learning/mlp.ts";
import { checkRecipe, type Recipe, RECIPES } from "../learning/recipe.ts";
import { logitsOf, splitTraining } from "../learning/validation.ts";
import { type Artifact, buildArtifact } from "./artifact.ts";

/** What to train, and on what. The network follows from the data set and the recipe. */
export interface TrainOptions extends Partial<FitOptions> {
  /** The images to train and test on. */
  dataset: Dataset;
  /** `RECIPES.default` if absent. */
  recipe?: Recipe;
  /** Of the initial weights and of all random choices; 0 if absent. */
  seed?: number;
  /** The fastest that is available if absent. */
  backend?: Backend;
  /** The model's name, which is written to the file; the data set's if absent. */
  name?: string;
}

/** A trained model, measured on the test split by ONNX Runtime. */
export interface TrainResult extends FitResult {
  /** The ONNX file and its measurements. */
  artifact: Artifact;
}

/**
 * Trains a model, exports it to ONNX and measures the file on the test split. Nothing is written to the disk.
 *
 * @returns the ONNX file in `artifact.bytes`, with its measurements
 * @throws {DOMException} `AbortError` if the signal asked to stop
 * @throws {InputError} if the arrays of the data set do not fit together, if the recipe has a value out of range or
 * does not fit the data set, or if the loss explodes
 *
 * @example
 * ```ts
 * import { loadDataset, RECIPES, train } from "@selvedge/selvedge/train";
 *
 * const dataset = await loadDataset("silhouettes");
 * const { artifact } = await train({
 *   dataset,
 *   recipe: { ...RECIPES.default, hidden: [32], epochs: 1 },
 *   seed: 1,
 *   listeners: [{ onEpoch: ({ epoch, trainLoss }) => console.log(epoch, trainLoss) }],
 * });
 * console.assert(artifact.metrics.test.accuracy > 0.2);
 * console.assert(artifact.bytes.length > 0);
 * ```
 */
export async function train(options: TrainOptions): Promise<TrainResult> {
  const { dataset, recipe = RECIPES.default, seed = 0, name = dataset.name } = options;
  checkDataset(dataset);
  checkRecipe(recipe, dataset);
  const backend = options.backend ?? await useBackend("auto");
  const model = new Mlp(mlpSizes(dataset, recipe), seed);
  try {
    const result = await fit(model, dataset, { ...options, recipe, seed, backend });
    const artifact = await exportModel(model, result, { dataset, recipe, seed, backend, name });
    return { ...result, artifact };
  } finally {
    model.dispose();
  }
}

async function exportModel(
  model: Mlp,
  { epochs, bestEpoch }: FitResult,
  { dataset, recipe, seed, backend, name }: Required<
    Pick<TrainOptions, "dataset" | "recipe" | "seed" | "backend" | "name">
  >,
): Promise<Artifact> {
  const { name: datasetName, sha256, splitSeed, labels, channels, height, width, train, test } = dataset;
  const { validationIndices } = splitTraining(dataset, recipe.validation, seed);
  const score = bestEpoch === undefined ? undefined : epochs[bestEpoch - 1]!.validation;
  const logits = await logitsOf(model, test, dataset);
  const validation = score && {
    metrics: { images: validationIndices.length, ...score },
    logits: await logitsOf(model, train, dataset, validationIndices),
    labels: Array.from(validationIndices, (index) => train.labels[index]!),
  };
  backend.check();
  return await buildArtifact({
    layers: await model.weights(),
    info: {
      name,
      labels,
      input: { channels, height, width },
      provenance: {
        dataset: { name: datasetName, sha256, ...(splitSeed !== undefined && { splitSeed }) },
        recipe: { ...recipe },
        seed,
        backend: backend.id,
        codeVersion: config.version,
      },
    },
    test: { ...test, logits },
    ...(validation && { validation }),
  });
}
