/**
 * `deno task bench familiarity` and `deno task bench left-out`: how well the familiarity tells images of other kinds
 * from those of the training, beside two common scores of the same model.
 *
 * @module
 */
import { join } from "node:path";
import { InputError } from "../../shared/errors.ts";
import { formatTable } from "../../train/cli/table.ts";
import { Classifier } from "../../shared/inference/classifier.ts";
import { readModel, SHIPPED_MODEL } from "../../shared/models.ts";
import { Random } from "../../shared/random.ts";
import { train } from "../../train/artifact/run.ts";
import { useBackend } from "../../train/backend/mod.ts";
import { print } from "../../train/cli/command.ts";
import { clearProgress, showProgress } from "../../train/cli/progress.ts";
import { loadFashionMnist } from "../../train/dataset/fashion_mnist.ts";
import { readIdx } from "../../train/dataset/idx.ts";
import { type InputShape, readPicture } from "../../train/dataset/picture.ts";
import type { Dataset, Split } from "../../train/dataset/types.ts";
import { allScores } from "../../train/evaluation/evaluation.ts";
import { auroc, keptShare } from "../../train/evaluation/familiarity.ts";
import { CHOOSING_FAMILIES, drawOutliers, UNSEEN_FAMILIES } from "../../train/familiarity/outliers.ts";
import { RECIPES } from "../../train/learning/recipe.ts";
import { splitTraining } from "../../train/learning/split.ts";

/** Images of each kind. */
const COUNT = 1000;

/** Epochs of each of the ten models without a class. */
const EPOCHS = 14;

/** Scores of images, higher for more familiar ones. */
interface Scored {
  familiarity: Float32Array;
  energy: Float64Array;
  probability: Float64Array;
}

/** The familiarity, the energy of the logits (arXiv:2010.03759), and the largest probability. */
async function score(classifier: Classifier, images: Uint8Array): Promise<Scored> {
  const { logits, probabilities, familiarity } = await allScores(classifier, images);
  if (!familiarity) {
    throw new InputError("unsupported", "Cannot measure a model without the output familiarity");
  }
  const size = classifier.description.labels.length;
  const each = (of: (start: number) => number): Float64Array =>
    Float64Array.from(familiarity, (_, i) => of(i * size));
  return {
    familiarity,
    energy: each((start) => {
      const row = logits.subarray(start, start + size), largest = Math.max(...row);
      return largest + Math.log(row.reduce((sum, logit) => sum + Math.exp(logit - largest), 0));
    }),
    probability: each((start) => Math.max(...probabilities.subarray(start, start + size))),
  };
}

const SCORES = ["familiarity", "energy", "probability"] as const;

/**
 * Prints a row for each kind of images, and for each of the user's own.
 *
 * @param model name or file; the shipped one if absent
 * @param paths folders of pictures and IDX files of images
 */
export async function benchFamiliarity(
  model: string | undefined,
  paths: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const classifier = await Classifier.load((await readModel(model ?? SHIPPED_MODEL)).bytes);
  const { description: { name, version, input, familiarity }, imageSize } = classifier;
  const { test } = await loadFashionMnist();
  if (imageSize !== test.images.length / test.count) {
    throw new InputError(
      "invalid-shape",
      "Cannot measure the model as it must take the images of Fashion-MNIST",
    );
  }
  const garments = await score(classifier, test.images);
  const threshold = familiarity?.threshold ?? 0;
  const kept = keptShare(garments.familiarity, threshold);
  print(`\n${name} (${version}): the threshold ${threshold} keeps ${percent(kept)} % of the test images`);
  print("Not rejected at the same share of test images kept, %, and AUROC, by each score");
  const thresholds = SCORES.map((name) =>
    name === "familiarity" ? threshold : quantile(garments[name], 1 - kept)
  );
  const rows = [["", "images", ...SCORES.flatMap((name) => [name, "AUROC"])]];
  const add = async (label: string, images: Uint8Array): Promise<void> => {
    signal.throwIfAborted();
    const scored = await score(classifier, images);
    rows.push([
      label,
      String(images.length / imageSize),
      ...SCORES.flatMap((name, i) => [
        percent(keptShare(scored[name], thresholds[i]!)),
        auroc(garments[name], scored[name]).toFixed(4),
      ]),
    ]);
  };
  for (const [i, family] of [...CHOOSING_FAMILIES, ...UNSEEN_FAMILIES].entries()) {
    const count = family === "constant images" ? 256 : COUNT;
    const random = new Random(1, 1000 + i);
    const marked = `${family}${UNSEEN_FAMILIES.includes(family) ? "" : " *"}`;
    await add(marked, drawOutliers(family, { count, shape: input, pictures: test.images, random }));
  }
  const shape = {
    ...input,
    channels: input.channels as 1 | 3,
    preprocessing: classifier.description.preprocessing,
  };
  for (const path of paths) await add(path, await readImages(path, shape as InputShape));
  print(formatTable(rows));
  print("* other images of these kinds chose the directions of the familiarity");
  await classifier.close();
}

/** Pictures of a folder, fitted into the model's input, or the images of an IDX file as they are. */
async function readImages(path: string, shape: InputShape): Promise<Uint8Array> {
  const size = shape.channels * shape.height * shape.width;
  if (!(await Deno.stat(path)).isDirectory) {
    const { dims, data } = await readIdx({ name: path, bytes: await Deno.readFile(path) }, 3);
    if (dims[1]! * dims[2]! !== size) {
      throw new InputError(
        "invalid-shape",
        `Cannot use "${path}" as its images must be ${shape.height}×${shape.width}: current size is ${
          dims[1]
        }×${dims[2]}`,
      );
    }
    return data;
  }
  const images: number[] = [];
  for await (const { name, isFile } of Deno.readDir(path)) {
    if (!isFile || !/\.(png|jpe?g|webp)$/i.test(name)) continue;
    const outcome = await readPicture(await Deno.readFile(join(path, name)), shape);
    if ("error" in outcome) print(`${name}: ${outcome.error}`);
    else images.push(...outcome.pixels);
  }
  return Uint8Array.from(images);
}

/** Trains a model without each class, and measures whether it finds images of that class unfamiliar. */
export async function benchLeftOut(signal: AbortSignal): Promise<void> {
  const dataset = await loadFashionMnist();
  const backend = await useBackend("auto");
  print(
    `\nA class left out of the training of ${EPOCHS} epochs: AUROC of its images against validation images`,
  );
  const rows = [["class", ...SCORES]];
  for (const [left, label] of dataset.labels.entries()) {
    const part = without(dataset, left);
    const recipe = { ...RECIPES.default, epochs: EPOCHS };
    const { artifact } = await train({ dataset: part, recipe, backend, signal });
    showProgress("leaving out", (left + 1) / dataset.labels.length, label);
    const classifier = await Classifier.load(artifact.bytes);
    const { validationIndices } = splitTraining(part, recipe.validation, 0);
    const familiar = await score(classifier, select(part.train, validationIndices).images);
    const indices = Uint32Array.from(dataset.train.labels, (_, i) => i)
      .filter((i) => dataset.train.labels[i] === left).slice(0, 2000);
    const unfamiliar = await score(classifier, select(dataset.train, indices).images);
    rows.push([label, ...SCORES.map((name) => auroc(familiar[name], unfamiliar[name]).toFixed(3))]);
    await classifier.close();
  }
  clearProgress();
  const mean = SCORES.map((_, i) =>
    (rows.slice(1).reduce((sum, row) => sum + Number(row[i + 1]), 0) / (rows.length - 1)).toFixed(3)
  );
  print(formatTable([...rows, ["mean", ...mean]]));
}

/** The data set without the images of a class. */
function without(dataset: Dataset, left: number): Dataset {
  const others = (split: Split): Split => {
    const indices = Uint32Array.from(split.labels, (_, i) => i).filter((i) => split.labels[i] !== left);
    const part = select(split, indices);
    return { ...part, labels: part.labels.map((label) => label > left ? label - 1 : label) };
  };
  return {
    ...dataset,
    name: `${dataset.name} without ${dataset.labels[left]}`,
    labels: dataset.labels.filter((_, i) => i !== left),
    train: others(dataset.train),
    test: others(dataset.test),
  };
}

function select({ images, labels, count }: Split, indices: Uint32Array): Split {
  const size = images.length / count, chosen = new Uint8Array(indices.length * size);
  for (const [i, index] of indices.entries()) {
    chosen.set(images.subarray(index * size, (index + 1) * size), i * size);
  }
  return {
    images: chosen,
    labels: Uint8Array.from(indices, (index) => labels[index]!),
    count: indices.length,
  };
}

/** The value below which a share of the values lies. */
function quantile(values: ArrayLike<number>, share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(Math.round(share * sorted.length), sorted.length - 1)]!;
}

function percent(share: number): string {
  return (100 * share).toFixed(1);
}
