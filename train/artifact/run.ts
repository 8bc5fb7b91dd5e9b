/**
 * One run, from a data set to a measured model: what `deno task train` and `deno task quickstart` share.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import config from "../../deno.json" with { type: "json" };
import { type Artifact, buildArtifact } from "./artifact.ts";
import { batches, range } from "../learning/batches.ts";
import type { Dataset, Split } from "../dataset/mod.ts";
import { fit, type FitOptions, type FitResult, splitTraining } from "../learning/fit.ts";
import { Mlp } from "../learning/mlp.ts";
import type { Recipe } from "../learning/recipe.ts";

export interface RunOptions extends FitOptions {
  /** The model's name, written into the file. */
  name: string;
  dataset: Dataset;
}

/** A trained model, measured on the test split by ONNX Runtime. */
export interface Run extends FitResult {
  artifact: Artifact;
}

/** Builds the network that a recipe asks for, with its seeded first weights. */
export function createModel(dataset: Dataset, recipe: Recipe, seed: number): Mlp {
  const sizes = [dataset.channels * dataset.height * dataset.width, ...recipe.hidden, dataset.labels.length];
  return new Mlp(sizes, seed);
}

/** Trains, and exports into memory. The model is left to the caller. */
export async function train(model: Mlp, options: RunOptions): Promise<Run> {
  const { name, dataset, recipe, seed, backend } = options;
  const result = await fit(model, dataset, options);
  const { name: datasetName, sha256, splitSeed, labels, channels, height, width } = dataset;
  const { held } = splitTraining(dataset, recipe.validation, seed);
  const score = result.epochs[result.bestEpoch - 1]?.validation;
  const artifact = await buildArtifact(
    await model.weights(),
    await logitsOf(model, dataset, dataset.test),
    {
      name,
      labels,
      input: { channels, height, width },
      provenance: {
        dataset: { name: datasetName, sha256, ...(splitSeed !== undefined && { splitSeed }) },
        recipe: { ...recipe },
        seed,
        backend: backend.name,
        codeVersion: config.version,
      },
    },
    dataset,
    score && { images: held.length, ...score },
    held.length > 0
      ? {
        logits: await logitsOf(model, dataset, dataset.train, held),
        labels: Array.from(held, (index) => dataset.train.labels[index]!),
      }
      : undefined,
  );
  backend.check();
  return { ...result, artifact };
}

/** TensorFlow.js's logits for images of a split, `[N, classes]`. */
export async function logitsOf(
  model: Mlp,
  { labels, width }: Dataset,
  split: Split,
  indices = range(split.count),
): Promise<Float32Array> {
  const all = new Float32Array(indices.length * labels.length);
  let offset = 0;
  for (const batch of batches(split, indices, { batchSize: 1000, classes: labels.length, width })) {
    const logits = tf.tidy(() => model.logits(batch.images));
    all.set(await logits.data(), offset);
    offset += logits.size;
    tf.dispose([batch.images, batch.targets, logits]);
  }
  return all;
}
