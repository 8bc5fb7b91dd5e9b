/**
 * The recipes: every hyper-parameter and why it is what it is.
 *
 * @module
 */

export const OPTIMIZERS = ["sgd", "momentum", "adam", "adamw"] as const;
export const SCHEDULES = ["constant", "step", "cosine"] as const;

/** Everything that decides how a model is trained, but for the data and the seed. */
export interface Recipe {
  name: string;
  /** Passes over the training images. */
  epochs: number;
  /** Images per step. */
  batchSize: number;
  /** `momentum` is SGD with 0.9 of it; `adam` is AdamW that need not decay. */
  optimizer: typeof OPTIMIZERS[number];
  /** The peak, where there is a schedule. */
  learningRate: number;
  /** `step` divides by ten after a half and after three quarters of the run. */
  schedule: typeof SCHEDULES[number];
  /** Epochs in which the learning rate first rises in a straight line. */
  warmup: number;
  /** Decoupled, times the learning rate, on weight matrices only (AdamW, arXiv:1711.05101). */
  weightDecay: number;
  /** The largest length of all gradients taken as one vector; longer ones are shortened. 0 for none. */
  clip: number;
  /** Features of the hidden layers. */
  hidden: number[];
  /** Probability that a hidden feature is dropped, 0..1. */
  dropout: number;
  /** The share of the target that goes to all classes alike, 0..1. */
  labelSmoothing: number;
  /** Whether each image is mirrored left to right with probability ½. */
  flip: boolean;
  /** Pixels by which an image is moved at most, each way; what comes in is 0. */
  shift: number;
  /** Probability that an image is moved, 0..1. */
  shiftProbability: number;
  /** α of mixup (arXiv:1710.09412): images and targets are blended in pairs by Beta(α, α). 0 for none. */
  mixup: number;
  /** Decay of the moving average of the weights, which is then the model; 0 for none. */
  ema: number;
  /** Whether the images come in a new order each epoch. */
  shuffle: boolean;
  /** How many training images are held out, to choose by. */
  validation: number;
  /** Ends the run after so many epochs without a better one on the held-out images; 0 for never. */
  earlyStopping: number;
}

/** PyTorch's quickstart, number for number (https://docs.pytorch.org/tutorials/beginner/basics/quickstart_tutorial.html). */
const quickstart: Recipe = {
  name: "quickstart",
  epochs: 5,
  batchSize: 64,
  optimizer: "sgd",
  learningRate: 1e-3, // small: 5 epochs leave the network half trained, as in the tutorial
  schedule: "constant",
  warmup: 0,
  weightDecay: 0,
  clip: 0,
  hidden: [512, 512],
  dropout: 0,
  labelSmoothing: 0,
  flip: false,
  shift: 0,
  shiftProbability: 0,
  mixup: 0,
  ema: 0,
  shuffle: false, // the tutorial's DataLoader keeps the files' order
  validation: 0, // the tutorial looks at the test split after every epoch
  earlyStopping: 0,
};

/** The model worth deploying, chosen by the accuracy on the validation images. */
const standard: Recipe = {
  name: "default",
  epochs: 160, // mirrored, moved and blended, no two epochs are alike: more of them still help
  batchSize: 256, // a larger batch uses the CPU better
  optimizer: "adamw",
  learningRate: 1e-3, // Adam's customary rate; the cosine takes it to zero
  schedule: "cosine", // half a cosine without restarts (arXiv:1608.03983): the last epochs gain the most
  warmup: 0, // Adam's first steps are no larger than its others
  weightDecay: 0.05,
  clip: 0, // these gradients never explode
  hidden: [512, 512], // the tutorial's architecture
  dropout: 0.05, // a little beside mixup and shifts; without them it would have to be 0.4
  labelSmoothing: 0, // mixup does its work
  flip: true, // a garment mirrored is a garment
  shift: 1, // an MLP learns each place anew: where all images move, it underfits
  shiftProbability: 0.4,
  mixup: 0.4,
  ema: 0.999, // steadies the middle of the run; at the end of the cosine it changes little
  shuffle: true,
  validation: 5000, // ± 0.8 percentage points at 90 %, twice the standard error
  earlyStopping: 0, // a cosine is at its best at its end
};

export const RECIPES = { default: standard, quickstart } as const;
export type RecipeName = keyof typeof RECIPES;

/**
 * The learning rate of a step.
 *
 * @param step of the whole run, from 0 up
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
