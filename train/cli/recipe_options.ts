/**
 * The recipe on the command line: every hyper-parameter as an option.
 *
 * @module
 */
import { choice, number, type Option } from "./command.ts";
import type { Dataset } from "../dataset/mod.ts";
import { OPTIMIZERS, type Recipe, RECIPES, SCHEDULES } from "../learning/recipe.ts";

const standard = RECIPES.default;

const hidden: Option<number[]> = {
  value: "N,N,…",
  help: "Features of the hidden layers",
  fallback: standard.hidden.join(),
  parse(text): number[] | undefined {
    const sizes = text.split(",").map(Number);
    return sizes.length <= 8 && sizes.every((n) => Number.isInteger(n) && n >= 1 && n <= 4096)
      ? sizes
      : undefined;
  },
  accepts: "one to eight whole numbers from 1 to 4096, separated by commas",
};

/** A number whose default is the default recipe's. */
function amount(
  key: keyof Recipe,
  help: string,
  range: { min: number; max: number; whole?: boolean },
): Option<number> {
  return number(help, { ...range, fallback: String(standard[key]) });
}

/** To be spread into a command's options. */
export const recipeOptions = {
  recipe: choice(["default", "quickstart"], "Where the other defaults come from", "default"),
  epochs: amount("epochs", "Passes over the training images", { min: 1, max: 10_000, whole: true }),
  "batch-size": amount("batchSize", "Images per step", { min: 1, max: 60_000, whole: true }),
  optimizer: choice(OPTIMIZERS, "How weights follow gradients", standard.optimizer),
  "learning-rate": amount("learningRate", "Step size, at its peak", { min: 1e-9, max: 1000 }),
  schedule: choice(SCHEDULES, "How the step size goes on from its peak", standard.schedule),
  warmup: amount("warmup", "Epochs in which the step size rises first", { min: 0, max: 10_000, whole: true }),
  "weight-decay": amount("weightDecay", "How fast weights shrink", { min: 0, max: 100 }),
  clip: amount("clip", "Longest gradient; 0 for any", { min: 0, max: 1e6 }),
  hidden,
  dropout: amount("dropout", "Probability to drop a hidden feature", { min: 0, max: 0.95 }),
  "label-smoothing": amount("labelSmoothing", "Share of the target for all classes alike", {
    min: 0,
    max: 0.9,
  }),
  flip: choice(["yes", "no"], "Mirrors images at random", standard.flip ? "yes" : "no"),
  shift: amount("shift", "Moves images by up to so many pixels", { min: 0, max: 16, whole: true }),
  "shift-probability": amount("shiftProbability", "How often", { min: 0, max: 1 }),
  mixup: amount("mixup", "Blends images in pairs, by Beta(X, X)", { min: 0, max: 1 }),
  ema: amount("ema", "Decay of the weights' moving average", { min: 0, max: 0.99999 }),
  validation: amount("validation", "Training images held out to choose by, at most a tenth", {
    min: 0,
    max: 1_000_000,
    whole: true,
  }),
  "early-stopping": amount("earlyStopping", "Ends after so many epochs without a better one; 0 never", {
    min: 0,
    max: 10_000,
    whole: true,
  }),
};

/** What {@linkcode recipeOptions} give. */
export type RecipeValues = {
  [K in keyof typeof recipeOptions]?: (typeof recipeOptions)[K] extends Option<infer T> ? T : never;
};

/**
 * The recipe that was asked for.
 *
 * @param dataset what it is for: a small set must keep most of its images to learn from
 */
export function chooseRecipe({ train, validation }: Dataset, values: RecipeValues): Recipe {
  const base = RECIPES[values.recipe ?? "default"];
  const optimizer = values.optimizer ?? base.optimizer;
  return {
    ...base,
    epochs: values.epochs ?? base.epochs,
    batchSize: values["batch-size"] ?? base.batchSize,
    optimizer,
    learningRate: values["learning-rate"] ?? base.learningRate,
    schedule: values.schedule ?? base.schedule,
    warmup: values.warmup ?? base.warmup,
    // The default was found for AdamW; the others would need a value of their own.
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
    validation: validation ?? Math.min(values.validation ?? base.validation, Math.floor(train.count / 10)),
    earlyStopping: values["early-stopping"] ?? base.earlyStopping,
  };
}

/** The recipe in a line, for people. */
export function describe(recipe: Recipe): string {
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
    ["gradients up to", recipe.clip],
    ["dropout", recipe.dropout],
    ["label smoothing", recipe.labelSmoothing],
    ["mixup", recipe.mixup],
    ["EMA", recipe.ema],
  ];
  return [
    name,
    `${epochs} epochs`,
    `batches of ${batchSize}`,
    `${optimizer} ${learningRate} ${schedule}${warmup ? ` after ${warmup} epochs of warm-up` : ""}`,
    ...rest.filter(([, value]) => value > 0).map(([what, value]) => `${what} ${value}`),
    ...(shift > 0 && shiftProbability > 0 ? [`${shiftProbability * 100} % moved by ${shift}`] : []),
    ...(flip ? ["mirrored"] : []),
    ...(earlyStopping ? [`stopped ${earlyStopping} epochs after the best`] : []),
  ].join(", ");
}
