/**
 * A whole run, from a data set to a measured ONNX model in memory, for `deno task train`, `deno task quickstart` and
 * the library.
 *
 * @module
 */
import config from "../../deno.json" with { type: "json" };
import { type Backend, useBackend } from "../backend/mod.ts";
import { checkDataset } from "../dataset/check.ts";
import type { Dataset } from "../dataset/mod.ts";
import { attachHead, roundWeights } from "../backbone/attach.ts";
import type { Backbone } from "../backbone/backbone.ts";
import { extractFeatures } from "../backbone/extract.ts";
import { fitFamiliarity, type FittedFamiliarity } from "../familiarity/fit.ts";
import { KEEP } from "../familiarity/measure.ts";
import { fit, type FitOptions, type FitResult } from "../learning/fit.ts";
import { createMlp, type LinearWeights, Mlp } from "../learning/mlp.ts";
import { checkRecipe, type Recipe, RECIPES } from "../learning/recipe.ts";
import { crossValidate, type FoldEvent } from "../learning/cross_validation.ts";
import { splitTraining, type TrainingSplit } from "../learning/split.ts";
import { logitsOf, scoreLogits } from "../learning/validation.ts";
import { argMax } from "../../shared/softmax.ts";
import type { Provenance } from "../../shared/contract.ts";
import { type Artifact, type ArtifactSource, buildArtifact } from "./artifact.ts";

/** Options of a run. The data set and the recipe determine the network. */
export interface TrainOptions extends Partial<FitOptions> {
  /** The images to train and test on. */
  dataset: Dataset;
  /** `RECIPES.default` if absent. */
  recipe?: Recipe;
  /** Seed of the initial weights and of all random choices; 0 if absent. */
  seed?: number;
  /** The device; the fastest available one if absent. */
  backend?: Backend;
  /** The model's name, which is written to the file; the data set's if absent. */
  name?: string;
  /** The network that computed the features of the data set; absent if the model learns from pixels. */
  backbone?: Backbone;
  /**
   * Share of the validation images that count as familiar, 0..1: it sets the threshold of the output `familiarity`.
   * 0.95 if absent; 0 for a model without that output.
   */
  keep?: number;
  /** Called before each fold of a cross-validation. */
  onFold?: (event: FoldEvent) => void;
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
  const folded = recipe.folds > 0 && dataset.validation === undefined
    ? await crossValidate(dataset, { ...options, recipe, seed, backend }, options.onFold)
    : undefined;
  // The folds replace the validation images, so the model is trained on all images.
  const applied = folded ? { ...recipe, validation: 0 } : recipe;
  const model = createMlp(dataset, applied, seed);
  try {
    const result = await fit(model, dataset, { ...options, recipe: applied, seed, backend });
    const validation = folded
      ? { ...folded, metrics: { ...scoreLogits(folded), folds: recipe.folds } }
      : await validationOf(model, result, dataset, recipe, seed);
    const artifact = await exportModel(model, validation, {
      dataset,
      recipe,
      validationImages: applied.validation,
      seed,
      backend,
      name,
      keep: options.keep ?? KEEP,
      ...(options.backbone && { backbone: options.backbone }),
      ...(options.signal && { signal: options.signal }),
    });
    return { ...result, artifact };
  } finally {
    model.dispose();
  }
}

type Validation = NonNullable<ArtifactSource["validation"]>;

/** The validation images and how the best epoch classifies them; undefined if there are none. */
async function validationOf(
  model: Mlp,
  { epochs, bestEpoch }: FitResult,
  dataset: Dataset,
  recipe: Recipe,
  seed: number,
): Promise<Validation | undefined> {
  const score = bestEpoch === undefined ? undefined : epochs[bestEpoch - 1]!.validation;
  if (!score) return undefined;
  const { train } = dataset;
  const { validationIndices } = splitTraining(dataset, recipe.validation, seed);
  return {
    metrics: { images: validationIndices.length, ...score },
    logits: await logitsOf(model, train, dataset, validationIndices),
    labels: Array.from(validationIndices, (index) => train.labels[index]!),
  };
}

type Exported =
  & Required<Pick<TrainOptions, "dataset" | "recipe" | "seed" | "backend" | "name" | "keep">>
  & Pick<TrainOptions, "backbone" | "signal">
  & {
    /** Number of training images that were set aside, if the data set has no validation images of its own. */
    validationImages: number;
  };

async function exportModel(
  model: Mlp,
  validation: Validation | undefined,
  options: Exported,
): Promise<Artifact> {
  const { dataset, recipe, validationImages, seed, backend, name, keep, backbone } = options;
  const { name: datasetName, sha256, splitSeed, labels, channels, height, width, preprocessing, test } =
    dataset;
  const split = splitTraining(dataset, validationImages, seed);
  const { validationIndices } = split;
  const { layers, logits, int8 } = await storedWeights(
    model,
    dataset,
    backbone,
    validationIndices.length >= ENOUGH_VALIDATION ? validationIndices : undefined,
  );
  backend.check();
  const familiarity = keep > 0 ? await familiarityOf(layers, split, options) : undefined;
  backend.check();
  return await buildArtifact({
    layers,
    info: {
      name,
      labels,
      input: { channels, height, width },
      ...(preprocessing && { preprocessing }),
      provenance: {
        dataset: { name: datasetName, sha256, ...(splitSeed !== undefined && { splitSeed }) },
        ...(backbone && { backbone: describeBackbone(backbone) }),
        recipe: { ...recipe },
        seed,
        backend: backend.id,
        codeVersion: config.version,
      },
    },
    test: { ...test, logits },
    ...(validation && { validation }),
    ...(familiarity && { familiarity }),
    ...(backbone && { attach: (head: Uint8Array) => attachHead(backbone, head, int8) }),
  });
}

/** Fits the familiarity; undefined for features whose backbone is unknown. */
async function familiarityOf(
  layers: readonly LinearWeights[],
  split: TrainingSplit,
  { dataset, recipe, seed, keep, backbone, signal }: Exported,
): Promise<FittedFamiliarity | undefined> {
  const { train, channels, height, width } = dataset;
  if (train.features && !backbone) return undefined;
  return await fitFamiliarity({
    layers,
    shape: { channels, height, width },
    train,
    ...split,
    mirror: recipe.flip,
    kept: keep,
    seed,
    ...(backbone && {
      extract: async (images) =>
        (await extractFeatures(backbone, images, { ...(signal && { signal }) })).features,
    }),
  });
}

/** The share of images whose class may change when weights are rounded to int8; it bounds the loss of accuracy. */
const MAX_CHANGED = 0.005;

/** With at least this many validation images, they decide about int8; with fewer, all training images do. */
const ENOUGH_VALIDATION = 200;

/**
 * The weights as the file stores them, and their logits for the test images. With an int8 backbone they are rounded
 * too, unless that changes the class of more than 0.5 % of the validation images, or of all training images if there
 * are few.
 */
async function storedWeights(
  model: Mlp,
  dataset: Dataset,
  backbone: Backbone | undefined,
  compared?: Uint32Array,
): Promise<{ layers: LinearWeights[]; logits: Float32Array; int8: boolean }> {
  const layers = await model.weights();
  const { train, test } = dataset;
  if (backbone?.store === "int8") {
    const rounded = roundWeights(layers);
    const stored = new Mlp(model.sizes, 0);
    try {
      stored.load(rounded);
      const before = await logitsOf(model, train, dataset, compared);
      const after = await logitsOf(stored, train, dataset, compared);
      if (changedShare(before, after, dataset.labels.length) <= MAX_CHANGED) {
        return { layers: rounded, logits: await logitsOf(stored, test, dataset), int8: true };
      }
    } finally {
      stored.dispose();
    }
  }
  return { layers, logits: await logitsOf(model, test, dataset), int8: false };
}

/** The share of rows whose largest logit differs. */
function changedShare(a: Float32Array, b: Float32Array, classes: number): number {
  let changed = 0;
  for (let start = 0; start < a.length; start += classes) {
    const best = (logits: Float32Array): number => argMax(logits.subarray(start, start + classes));
    if (best(a) !== best(b)) changed++;
  }
  return changed / (a.length / classes);
}

function describeBackbone(
  { name, fileSha256, features, size, store, licence, source }: Backbone,
): NonNullable<Provenance["backbone"]> {
  return {
    name,
    sha256: fileSha256,
    features: features.map(({ name }) => name),
    size,
    store,
    ...(licence !== undefined && { licence }),
    ...(source !== undefined && { source }),
  };
}
