/**
 * The training loop.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { Random } from "../shared/random.ts";
import type { Backend } from "./backend.ts";
import { batches, dropoutMasks, range } from "./batches.ts";
import type { Dataset, Split } from "./dataset/mod.ts";
import { HeapAdamW, HeapSgd } from "./gemm/optimizers.ts";
import type { LinearWeights, Mlp } from "./mlp.ts";
import { learningRateAt, type Recipe } from "./recipe.ts";

/** What the loop tells while it runs. */
export interface FitEvents {
  /** After every step, with what has been done of the epoch. Read the loss only when it is shown. */
  onStep?(
    step: { epoch: number; step: number; images: number; total: number; loss: tf.Scalar },
  ): Promise<void>;
  /** After every epoch. */
  onEpoch?(summary: EpochSummary): Promise<void>;
}

/** One epoch in numbers. */
export interface EpochSummary {
  /** From 1 up. */
  epoch: number;
  /** Mean cross-entropy over the epoch's steps, with dropout and augmentation on. */
  trainLoss: number;
  /** On the held-out images; absent if none are held out. */
  validation?: Score;
  /** The learning rate of the epoch's last step. */
  learningRate: number;
  /** Training images per second, without the validation. */
  imagesPerSecond: number;
}

/** How a model does on some images. */
export interface Score {
  /** 0..1 */
  accuracy: number;
  /** Mean cross-entropy. */
  loss: number;
}

/** How a run went. */
export interface FitResult {
  epochs: EpochSummary[];
  /** The epoch whose weights the model now has, from 1 up. */
  bestEpoch: number;
}

export interface FitOptions extends FitEvents {
  recipe: Recipe;
  seed: number;
  backend: Backend;
  /** Stops the run between two steps. */
  signal?: AbortSignal;
  /** Ends every epoch after this many steps: for trying things out. */
  maxSteps?: number;
}

/**
 * Trains a model in place. It ends with the weights of the epoch that was best on the held-out images, or
 * with the last ones if none are held out.
 *
 * @throws {DOMException} `AbortError` if the signal asked to stop
 * @throws {RangeError} if the loss is no longer a number
 */
export async function fit(model: Mlp, dataset: Dataset, options: FitOptions): Promise<FitResult> {
  const { recipe, seed, backend, signal, maxSteps = Infinity } = options;
  const { train, held } = splitTraining(dataset, recipe.validation, seed);
  // A stream each, so that switching one of them off leaves the others' numbers as they were.
  const order = new Random(seed, 2), flips = new Random(seed, 3), drops = new Random(seed, 4);
  const batchOptions = {
    batchSize: recipe.batchSize,
    classes: dataset.labels.length,
    width: dataset.width,
    ...(recipe.flip && { flip: flips }),
  };
  const { optimizer, decays } = createOptimizer(model, recipe, backend);
  const stepsPerEpoch = Math.min(Math.ceil(train.length / recipe.batchSize), maxSteps);
  const totalSteps = stepsPerEpoch * recipe.epochs;

  const epochs: EpochSummary[] = [];
  let best: { accuracy: number; epoch: number; weights: LinearWeights[] } | undefined;
  try {
    for (let epoch = 1; epoch <= recipe.epochs; epoch++) {
      if (recipe.shuffle) order.shuffle(train);
      const started = performance.now();
      const losses: tf.Scalar[] = [];
      let step = 0, images = 0, learningRate = recipe.learningRate;
      for (const batch of batches(dataset.train, train, batchOptions)) {
        signal?.throwIfAborted();
        const masks = dropoutMasks(batch.count, recipe.hidden, recipe.dropout, drops);
        learningRate = learningRateAt(recipe, ((epoch - 1) * stepsPerEpoch + step) / totalSteps);
        setLearningRate(optimizer, learningRate);

        const { value: loss, grads } = optimizer.computeGradients(() => {
          const logits = model.logits(batch.images, masks);
          return tf.losses.softmaxCrossEntropy(batch.targets, logits).asScalar();
        });
        if (recipe.weightDecay > 0 && !decays) decay(model, 1 - learningRate * recipe.weightDecay);
        // The types ask for variables, but TensorFlow.js's own `minimize` hands it gradients too.
        optimizer.applyGradients(grads as Record<string, tf.Variable>);

        tf.dispose([batch.images, batch.targets, ...masks, ...Object.values(grads)]);
        losses.push(loss);
        images += batch.count;
        step++;
        await options.onStep?.({ epoch, step, images, total: train.length, loss });
        if (step === stepsPerEpoch) break;
      }
      const trainLoss = await meanAndDispose(losses);
      backend.check();
      if (!Number.isFinite(trainLoss)) {
        throw new RangeError(
          `Cannot go on with training as the loss of epoch ${epoch} must be finite: current value is ` +
            `${trainLoss}. A smaller --learning-rate may help (it is ${recipe.learningRate})`,
        );
      }
      const imagesPerSecond = images / (performance.now() - started) * 1000;
      const summary: EpochSummary = { epoch, trainLoss, learningRate, imagesPerSecond };
      if (held.length > 0) {
        summary.validation = await score(model, dataset.train, dataset, held);
        backend.check();
        if (!best || summary.validation.accuracy > best.accuracy) {
          best = { accuracy: summary.validation.accuracy, epoch, weights: await model.weights() };
        }
      }
      epochs.push(summary);
      await options.onEpoch?.(summary);
    }
  } finally {
    optimizer.dispose();
  }
  if (best) model.load(best.weights);
  return { epochs, bestEpoch: best?.epoch ?? recipe.epochs };
}

/**
 * Measures a model on the TensorFlow.js backend.
 *
 * @param indices which images of the split; all by default
 */
export async function score(
  model: Mlp,
  split: Split,
  { labels, width }: Pick<Dataset, "labels" | "width">,
  indices: Uint32Array = range(split.count),
): Promise<Score> {
  let correct = 0, loss = 0;
  for (const batch of batches(split, indices, { batchSize: 1000, classes: labels.length, width })) {
    const [hits, sum] = tf.tidy(() => {
      const logits = model.logits(batch.images);
      const right = tf.equal(tf.argMax(logits, 1), tf.argMax(batch.targets, 1));
      const mean = tf.losses.softmaxCrossEntropy(batch.targets, logits);
      return [tf.sum(tf.cast(right, "float32")), tf.mul(mean, batch.count)];
    });
    correct += (await hits.data())[0]!;
    loss += (await sum.data())[0]!;
    tf.dispose([batch.images, batch.targets, hits, sum]);
  }
  return { accuracy: correct / indices.length, loss: loss / indices.length };
}

/** Which training images are learnt from and which are held out: as the data set has it, else drawn. */
export function splitTraining(
  { train: { count }, validation: own }: Dataset,
  validation: number,
  seed: number,
): { train: Uint32Array<ArrayBuffer>; held: Uint32Array<ArrayBuffer> } {
  return own === undefined ? holdOut(count, validation, seed) : keepLast(count, own);
}

/** Which training images are learnt from and which are held out: drawn by the seed, without overlap. */
export function holdOut(
  count: number,
  validation: number,
  seed: number,
): { train: Uint32Array<ArrayBuffer>; held: Uint32Array<ArrayBuffer> } {
  if (validation === 0) return { train: range(count), held: range(0) };
  const indices = range(count);
  new Random(seed, 1).shuffle(indices);
  return { train: indices.slice(validation).sort(), held: indices.slice(0, validation).sort() };
}

/** The same where the data set brings validation images, which are the last ones of its training split. */
function keepLast(
  count: number,
  validation: number,
): { train: Uint32Array<ArrayBuffer>; held: Uint32Array<ArrayBuffer> } {
  return { train: range(count - validation), held: range(validation, count - validation) };
}

/** On our own kernel the optimizers write to the weights in place, and AdamW decays them in the same pass. */
function createOptimizer(
  model: Mlp,
  { optimizer, learningRate, weightDecay }: Recipe,
  { gemm = "tfjs" }: Backend,
): { optimizer: tf.Optimizer; decays: boolean } {
  if (gemm !== "tfjs") {
    return optimizer === "sgd"
      ? { optimizer: new HeapSgd(learningRate), decays: false }
      : { optimizer: new HeapAdamW(learningRate, { weightDecay, decayed: model.matrices }), decays: true };
  }
  return optimizer === "sgd"
    ? { optimizer: tf.train.sgd(learningRate), decays: false }
    : { optimizer: tf.train.adam(learningRate, 0.9, 0.999, 1e-8), decays: false };
}

/**
 * `learningRate` is not public in TensorFlow.js 4.22.0, but every optimizer reads it at each step; except for
 * SGD, which keeps it in a tensor and has a method to change that.
 */
function setLearningRate(optimizer: tf.Optimizer, learningRate: number): void {
  const settable = optimizer as unknown as { learningRate: number; setLearningRate?(rate: number): void };
  settable.learningRate = learningRate;
  settable.setLearningRate?.(learningRate);
}

function decay(model: Mlp, factor: number): void {
  tf.tidy(() => model.matrices.forEach((matrix) => matrix.assign(tf.mul(matrix, factor))));
}

async function meanAndDispose(losses: tf.Scalar[]): Promise<number> {
  const mean = tf.tidy(() => tf.mean(tf.stack(losses)));
  const [value] = await mean.data();
  tf.dispose([...losses, mean]);
  return value!;
}
