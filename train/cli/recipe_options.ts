/**
 * The recipe on the command line: every hyperparameter as an option.
 *
 * @module
 */
import { choice, group, number, type Option, type Values } from "./options.ts";
import type { Dataset } from "../dataset/mod.ts";
import { type Advice, adviseRecipe } from "../learning/advice.ts";
import { OPTIMIZERS, type Recipe, RECIPES, SCHEDULES } from "../learning/recipe.ts";

const standard = RECIPES.default;

const hidden: Option<number[]> = {
  value: "N,N,…",
  help: "Sizes of the hidden layers",
  fallback: standard.hidden.join(),
  parse(text): number[] | undefined {
    const sizes = text.split(",").map(Number);
    return sizes.length <= 8 && sizes.every((n) => Number.isInteger(n) && n >= 1 && n <= 4096)
      ? sizes
      : undefined;
  },
  accepts: "one to eight whole numbers from 1 to 4096, separated by commas",
};

/** A number whose default is that of the default recipe. */
function amount(
  key: keyof Recipe,
  help: string,
  range: { min: number; max: number; whole?: boolean },
): Option<number> {
  return number(help, { ...range, fallback: String(standard[key]) });
}

/** To be spread into a command's options. */
export const recipeOptions = {
  ...group("Model", {
    hidden,
    "batch-norm": choice(
      ["yes", "no"],
      "Batch normalization after each hidden layer in training; folded into the weights on export",
      standard.batchNorm ? "yes" : "no",
    ),
    dropout: amount("dropout", "Probability of dropping a hidden unit", { min: 0, max: 0.95 }),
  }),
  ...group("Optimization", {
    recipe: choice(["default", "quickstart"], "Recipe that the defaults come from", "default"),
    epochs: amount("epochs", "Passes over the training images", { min: 1, max: 10_000, whole: true }),
    "batch-size": amount("batchSize", "Images per step", { min: 1, max: 60_000, whole: true }),
    optimizer: choice(OPTIMIZERS, "Optimizer", standard.optimizer),
    "learning-rate": amount("learningRate", "Peak learning rate", { min: 1e-9, max: 1000 }),
    schedule: choice(SCHEDULES, "Learning rate schedule after the warmup", standard.schedule),
    warmup: amount("warmup", "Epochs of linear learning rate warmup", { min: 0, max: 10_000, whole: true }),
    "weight-decay": amount("weightDecay", "Decoupled weight decay", { min: 0, max: 100 }),
    clip: amount("clip", "Maximum global gradient norm; 0 disables clipping", { min: 0, max: 1e6 }),
    "label-smoothing": amount("labelSmoothing", "Label smoothing", { min: 0, max: 0.9 }),
    ema: amount("ema", "Decay of the exponential moving average of the weights; 0 disables it", {
      min: 0,
      max: 0.99999,
    }),
    validation: amount("validation", "Held-out validation images, at most a tenth of the training images", {
      min: 0,
      max: 1_000_000,
      whole: true,
    }),
    "early-stopping": amount(
      "earlyStopping",
      "Stop after this many epochs without improvement; 0 disables it",
      {
        min: 0,
        max: 10_000,
        whole: true,
      },
    ),
  }),
  ...group("Augmentation", {
    flip: choice(["yes", "no"], "Mirror images horizontally at random", standard.flip ? "yes" : "no"),
    shift: amount("shift", "Maximum random shift in pixels", { min: 0, max: 16, whole: true }),
    "shift-probability": amount("shiftProbability", "Probability of a shift", { min: 0, max: 1 }),
    mixup: amount("mixup", "Alpha of mixup's Beta distribution; 0 disables mixup", { min: 0, max: 1 }),
  }),
  standardize: choice(
    ["yes", "no"],
    "Standardize inputs to mean 0 and deviation 1 (default: depends on the data)",
  ),
  balance: choice(["yes", "no"], "Repeat images of smaller classes (default: depends on the data)"),
  folds: number("Number of cross-validation folds; 0 disables it (default: depends on the data)", {
    min: 0,
    max: 100,
    whole: true,
  }),
};

/** The values of {@linkcode recipeOptions}. */
export type RecipeValues = Values<typeof recipeOptions>;

/**
 * The recipe of a command line.
 *
 * @param dataset limits the number of validation images, so that a small set keeps most images for training
 */
export function chooseRecipe(dataset: Dataset, values: RecipeValues): Advice {
  const { train, validation } = dataset;
  const advice = values.recipe === "quickstart" ? undefined : adviseRecipe(dataset);
  const base = advice?.recipe ?? RECIPES.quickstart;
  // Explicit validation images replace the folds.
  const folds = values.folds ?? (values.validation === undefined ? base.folds : 0);
  const optimizer = values.optimizer ?? base.optimizer;
  const recipe: Recipe = {
    ...base,
    batchNorm: values["batch-norm"] === undefined ? base.batchNorm : values["batch-norm"] === "yes",
    standardize: values.standardize === undefined ? base.standardize : values.standardize === "yes",
    balance: values.balance === undefined ? base.balance : values.balance === "yes",
    folds: validation === undefined ? folds : 0,
    epochs: values.epochs ?? base.epochs,
    batchSize: values["batch-size"] ?? base.batchSize,
    optimizer,
    learningRate: values["learning-rate"] ?? base.learningRate,
    schedule: values.schedule ?? base.schedule,
    warmup: values.warmup ?? base.warmup,
    // The default was tuned for AdamW; other optimizers would need another value.
    weightDecay: values["weight-decay"] ?? (optimizer === "adamw" ? base.weightDecay : 0),
    clip: values.clip ?? base.clip,
    hidden: values.hidden ?? base.hidden,
    dropout: values.dropout ?? base.dropout,
    labelSmoothing: values["label-smoothing"] ?? base.labelSmoothing,
    flip: values.flip === undefined ? base.flip : values.flip === "yes",
    shift: values.shift ?? base.shift,
    shiftProbability: values["shift-probability"] ?? base.shiftProbability,
    mixup: values.mixup ?? base.mixup,
    ema: values.ema ?? base.ema,
    validation: validation ??
      (folds > 0 ? 0 : Math.min(
        values.validation ?? RECIPES[values.recipe ?? "default"].validation,
        Math.floor(train.count / 10),
      )),
    earlyStopping: values["early-stopping"] ?? base.earlyStopping,
  };
  return { recipe, reasons: advice?.reasons ?? [] };
}

/** The recipe in one line, for people. */
export function describeRecipe(recipe: Recipe): string {
  const {
    name,
    epochs,
    batchSize,
    optimizer,
    learningRate,
    schedule,
    warmup,
    flip,
    shift,
    shiftProbability,
    earlyStopping,
  } = recipe;
  const rest: [string, number][] = [
    ["weight decay", recipe.weightDecay],
    ["gradient clipping", recipe.clip],
    ["dropout", recipe.dropout],
    ["label smoothing", recipe.labelSmoothing],
    ["mixup", recipe.mixup],
    ["EMA", recipe.ema],
  ];
  return [
    name,
    `${epochs} epochs`,
    `batches of ${batchSize}`,
    `${optimizer} ${learningRate} ${schedule}${warmup ? ` after ${warmup} epochs of warmup` : ""}`,
    ...(recipe.batchNorm ? ["batch normalization"] : []),
    ...rest.filter(([, value]) => value > 0).map(([what, value]) => `${what} ${value}`),
    ...(shift > 0 && shiftProbability > 0
      ? [`${shiftProbability * 100} % shifted by up to ${shift} px`]
      : []),
    ...(flip ? ["random flips"] : []),
    ...(earlyStopping ? [`early stopping after ${earlyStopping} epochs`] : []),
    ...(recipe.standardize ? ["standardized inputs"] : []),
    ...(recipe.balance ? ["balanced classes"] : []),
    ...(recipe.folds > 0 ? [`${recipe.folds} folds`] : []),
  ].join(", ");
}
