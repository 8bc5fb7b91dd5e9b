/**
 * Chooses a recipe by the number of images, the sizes of the classes, and whether a backbone computes features. The
 * default recipe was chosen for the 60,000 images of Fashion-MNIST.
 *
 * @module
 */
import type { Dataset } from "../dataset/mod.ts";
import { type Recipe, RECIPES } from "./recipe.ts";

/** With at least this many images, the default recipe is unchanged. */
const MANY_IMAGES = 20_000;
/** With fewer images, a tenth of them is too small a validation sample: ± 6 points at 90 %. */
const FEW_IMAGES = 1000;
/** Folds of a cross-validation. */
const FOLDS = 5;
/** Classes are balanced if the largest has more than this many times the images of the smallest. */
const UNEVEN = 1.5;
/** Maximum shift of small data sets, as a share of the height. */
const SHIFT_SHARE = 0.07;

/** A recipe, and why it differs from the default one. */
export interface Advice {
  /** The whole recipe. */
  recipe: Recipe;
  /** A sentence for each choice. */
  reasons: string[];
}

/**
 * Chooses a recipe for a data set.
 *
 * @param dataset with features, if there is a backbone
 */
export function adviseRecipe(dataset: Dataset): Advice {
  const { train, validation, labels, channels, height } = dataset;
  const count = train.count - (validation ?? 0);
  const recipe: Recipe = { ...RECIPES.default };
  const reasons: string[] = [];
  const classes = countClasses(train.labels, labels.length, count);
  const smallest = Math.min(...classes), largest = Math.max(...classes);
  const images = `${count.toLocaleString("en")} training images`;

  if (train.features) {
    Object.assign(recipe, {
      batchSize: count < 300 ? 16 : count < 2000 ? 64 : 128,
      // On 477 photographs, 60 epochs are no more accurate than 30; on 200, batches of 16 need 60.
      epochs: count < 300 ? 60 : count < 2000 ? 30 : 40,
      hidden: [512],
      batchNorm: false,
      dropout: 0.5,
      labelSmoothing: 0.1,
      flip: false,
      shift: 0,
      shiftProbability: 0,
      mixup: 0,
      ema: 0,
      standardize: true,
    });
    reasons.push(
      "one hidden layer with dropout and label smoothing, as the features of a backbone are nearly linearly separable",
      `batches of ${recipe.batchSize} and ${recipe.epochs} epochs, for ${images}`,
    );
  } else if (count < MANY_IMAGES) {
    Object.assign(recipe, { epochs: 160, dropout: 0.05, shiftProbability: 0.4 });
    reasons.push(
      "160 epochs and little dropout: longer runs with more of it were measured with 55,000 images only",
    );
    recipe.batchSize = count < 500 ? 16 : count < 2000 ? 32 : count < 5000 ? 64 : 128;
    reasons.push(`batches of ${recipe.batchSize}, for ${images}: enough steps in an epoch`);
    if (recipe.batchSize < 32) {
      recipe.batchNorm = false;
      reasons.push("no batch normalization, as the mean and the deviation of so few images vary too much");
    }
    if (count < 2000) {
      recipe.shift = Math.max(1, Math.round(height * SHIFT_SHARE));
      recipe.shiftProbability = 0.8;
      reasons.push(`shifts of up to ${recipe.shift} pixels, as few images need more variation`);
    }
    if (channels === 3) {
      recipe.standardize = true;
      reasons.push("standardized inputs, as photographs vary most in brightness");
    }
  }
  if (largest > UNEVEN * smallest) {
    recipe.balance = true;
    reasons.push(`classes balanced by repetition, as they have ${smallest} to ${largest} images`);
  }
  if (validation === undefined && count < FEW_IMAGES) {
    const folds = Math.min(FOLDS, smallest);
    if (folds >= 2) {
      recipe.folds = folds;
      reasons.push(`cross-validation in ${folds} folds, as a tenth of ${images} is too few for validation`);
    }
  }
  // With folds, all images are left to train on.
  recipe.validation = recipe.folds > 0 ? 0 : Math.min(recipe.validation, Math.floor(count / 10));
  return { recipe, reasons };
}

/** Images of each class among the first `count`. */
export function countClasses(labels: ArrayLike<number>, classes: number, count = labels.length): number[] {
  const counts = Array<number>(classes).fill(0);
  for (let i = 0; i < count; i++) counts[labels[i]!]!++;
  return counts;
}
