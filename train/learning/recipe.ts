/**
 * The recipes: every hyperparameter and the reason for its value.
 *
 * @module
 */
import { InputError } from "../../shared/errors.ts";
import type { Dataset } from "../dataset/mod.ts";

/** The optimizers that a recipe can name. */
export const OPTIMIZERS = ["sgd", "momentum", "adam", "adamw"] as const;
/** The learning rate schedules that a recipe can name. */
export const SCHEDULES = ["constant", "step", "cosine"] as const;

/** All hyperparameters: with the data set, the seed and the backend, a recipe determines the model. */
export interface Recipe {
  /** Name of the recipe, as shown in the output and in reports. */
  name: string;
  /** Passes over the training images. */
  epochs: number;
  /** Images per step. */
  batchSize: number;
  /** `momentum` is SGD with momentum 0.9; `adam` and `adamw` differ in the default weight decay only. */
  optimizer: typeof OPTIMIZERS[number];
  /** The initial learning rate, after the warmup. */
  learningRate: number;
  /** `step` divides the learning rate by 10 after 50 % and after 75 % of the run; `cosine` takes it to 0. */
  schedule: typeof SCHEDULES[number];
  /** Epochs of linear warmup of the learning rate; 0 for none. */
  warmup: number;
  /** Decoupled weight decay, multiplied by the learning rate, of weight matrices only (arXiv:1711.05101). */
  weightDecay: number;
  /** Maximum global gradient norm; 0 disables clipping (arXiv:1211.5063). */
  clip: number;
  /** Features of each hidden layer. */
  hidden: number[];
  /** Whether batch normalization follows each hidden Linear layer in training (arXiv:1502.03167). */
  batchNorm: boolean;
  /** Probability that a hidden feature is dropped in a step, 0..1. */
  dropout: number;
  /** Share of each target that is spread over all classes, 0..1. */
  labelSmoothing: number;
  /** Whether images are mirrored left to right with probability ½. */
  flip: boolean;
  /** Maximum shift of an image in each direction, in pixels; uncovered pixels get the image's background. */
  shift: number;
  /** Probability that an image is shifted, 0..1. */
  shiftProbability: number;
  /** α of mixup (arXiv:1710.09412): pairs of images and their targets are blended by Beta(α, α). 0 disables it; at most 1. */
  mixup: number;
  /** Decay per step of the exponential moving average (EMA) of the weights, which becomes the model; 0 disables it. */
  ema: number;
  /** Whether the training images are shuffled before each epoch. */
  shuffle: boolean;
  /** Number of training images set aside for validation. Unused if the data set has validation images of its own. */
  validation: number;
  /** Ends the run after this many epochs without a better validation accuracy; 0 disables it. */
  earlyStopping: number;
  /** Whether the inputs get mean 0 and deviation 1; the file still takes pixels in 0..1. */
  standardize: boolean;
  /** Whether images of smaller classes are repeated until all classes have the same number. */
  balance: boolean;
  /**
   * Number of folds of a cross-validation, which replaces the validation images where images are few: each fold is
   * validated once with a model trained on the others, and the model is then trained on all images. 0 disables it.
   */
  folds: number;
}

/** As in PyTorch's quickstart (https://docs.pytorch.org/tutorials/beginner/basics/quickstart_tutorial.html). */
const quickstart: Recipe = {
  name: "quickstart",
  epochs: 5,
  batchSize: 64,
  optimizer: "sgd",
  learningRate: 1e-3, // small: after 5 epochs the network is not converged, as in the tutorial
  schedule: "constant",
  warmup: 0,
  weightDecay: 0,
  clip: 0,
  hidden: [512, 512],
  batchNorm: false,
  dropout: 0,
  labelSmoothing: 0,
  flip: false,
  shift: 0,
  shiftProbability: 0,
  mixup: 0,
  ema: 0,
  shuffle: false, // the tutorial's DataLoader keeps the files' order
  validation: 0, // the tutorial measures the test split after every epoch
  earlyStopping: 0,
  standardize: false,
  balance: false,
  folds: 0,
};

/** The recipe of the model to deploy, chosen by validation accuracy: docs/experiments.md has what was tried. */
const standard: Recipe = {
  name: "default",
  epochs: 320, // augmentation makes every epoch different, so that more of them still help
  batchSize: 256, // a larger batch uses the CPU better
  optimizer: "adamw",
  learningRate: 1e-3, // Adam's usual rate; the cosine takes it to zero
  schedule: "cosine", // half a cosine without restarts (arXiv:1608.03983): the last epochs gain the most
  warmup: 0, // Adam's first steps are no larger than later ones
  weightDecay: 0.05,
  clip: 0, // these gradients do not explode
  hidden: [512, 512], // the tutorial's architecture
  batchNorm: true, // costs nothing at inference
  dropout: 0.2, // with batch normalization, less overfits after 100 epochs
  labelSmoothing: 0, // mixup has the same effect
  flip: true, // garments are symmetric
  shift: 1, // an MLP has no translation invariance and underfits with larger shifts
  shiftProbability: 0.8,
  mixup: 0.4,
  ema: 0.999, // reduces noise in the middle of the run; little effect at the end of the cosine
  shuffle: true,
  validation: 5000, // ± 0.8 percentage points at 90 % (two standard errors)
  earlyStopping: 0, // the last epochs of a cosine schedule are its best
  standardize: false,
  balance: false, // the classes of Fashion-MNIST are of equal size
  folds: 0, // 5,000 validation images are enough
};

/** The recipes of `deno task train` and `deno task quickstart`. */
export const RECIPES = { default: standard, quickstart } as const;
/** A key of {@linkcode RECIPES}. */
export type RecipeName = keyof typeof RECIPES;

/** Allowed values; both ends are included unless `below` is given. */
interface Range {
  min: number;
  max?: number;
  /** An upper bound that is not allowed itself. */
  below?: number;
  whole?: boolean;
}

const RANGES = {
  epochs: { min: 1, whole: true },
  batchSize: { min: 1, whole: true },
  learningRate: { min: Number.MIN_VALUE },
  warmup: { min: 0 },
  weightDecay: { min: 0 },
  clip: { min: 0 },
  dropout: { min: 0, below: 1 },
  labelSmoothing: { min: 0, max: 1 },
  shift: { min: 0, whole: true },
  shiftProbability: { min: 0, max: 1 },
  mixup: { min: 0, max: 1 }, // symmetricBeta() is exact up to 1
  ema: { min: 0, below: 1 },
  validation: { min: 0, whole: true },
  earlyStopping: { min: 0, whole: true },
  folds: { min: 0, max: 100, whole: true },
} satisfies Partial<Record<keyof Recipe, Range>>;

/**
 * Checks that a recipe is usable, and that it fits the data set.
 *
 * @throws {InputError} if a value is out of its range, or no training images are left beside the validation images
 */
export function checkRecipe(
  recipe: Recipe,
  { train, validation }: Pick<Dataset, "train" | "validation">,
): void {
  for (const [name, range] of Object.entries(RANGES)) {
    checkRange(name, recipe[name as keyof typeof RANGES], range);
  }
  recipe.hidden.forEach((features, i) => checkRange(`hidden[${i}]`, features, { min: 1, whole: true }));
  if (validation === undefined) {
    checkRange("validation", recipe.validation, { min: 0, below: train.count, whole: true });
  }
}

function checkRange(name: string, value: number, { min, max = Infinity, below, whole = false }: Range): void {
  const inside = value >= min && value <= max && !(below !== undefined && value >= below) && value < Infinity;
  if (inside && (!whole || Number.isInteger(value))) return;
  const bounds = [
    min === Number.MIN_VALUE ? "above 0" : `of at least ${min}`,
    ...(max < Infinity ? [`at most ${max}`] : []),
    ...(below === undefined ? [] : [`below ${below}`]),
  ];
  throw new InputError(
    "invalid-value",
    `Cannot train as the recipe's ${name} must be a ${whole ? "whole " : ""}number ${
      bounds.join(" and ")
    }: ` +
      `current value is ${value}`,
  );
}

/**
 * The learning rate of a step.
 *
 * @param step of the whole run, from 0 up
 * @param stepsPerEpoch steps in an epoch
 */
export function learningRateAt(
  { schedule, learningRate, warmup, epochs }: Pick<Recipe, "schedule" | "learningRate" | "warmup" | "epochs">,
  step: number,
  stepsPerEpoch: number,
): number {
  const rising = warmup * stepsPerEpoch, total = epochs * stepsPerEpoch;
  if (step < rising) return learningRate * (step + 1) / rising;
  const progress = (step - rising) / (total - rising);
  switch (schedule) {
    case "constant":
      return learningRate;
    case "step":
      return learningRate * (progress < 0.5 ? 1 : progress < 0.75 ? 0.1 : 0.01);
    case "cosine":
      return learningRate * (1 + Math.cos(Math.PI * progress)) / 2;
  }
}
