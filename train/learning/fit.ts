/**
 * The training loop.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { Random } from "../../shared/random.ts";
import type { Backend } from "../backend/mod.ts";
import { batches, type BatchOptions, dropoutMasks, range } from "./batches.ts";
import { stratify } from "../dataset/stratify.ts";
import type { Dataset, Split } from "../dataset/mod.ts";
import type { Mlp } from "./mlp.ts";
import { clipGradients, createOptimizer } from "./optimizer.ts";
import { learningRateAt, type Recipe } from "./recipe.ts";
import { type Numbers, readNumbers, writeNumbers } from "./numbers.ts";
import { WeightAverage } from "./weight_average.ts";

/** What the loop tells while it runs. */
export interface FitEvents {
  /** After every step, with what has been done of the epoch. Read the loss only when it is shown. */
  onStep?(
    step: { epoch: number; step: number; images: number; total: number; loss: tf.Scalar },
  ): Promise<void>;
  /** After every epoch. `save` reads from the device all that a new process needs to go on. */
  onEpoch?(summary: EpochSummary, save: () => Promise<FitState>): Promise<void>;
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
  /** Wall time of the training, without interruptions. */
  seconds: number;
}

/** Where a run stands after an epoch. The generators need no place in it, as each epoch begins its own. */
export interface FitState {
  epochs: EpochSummary[];
  /** The epoch that was best on the held-out images; absent if none are held out. */
  bestEpoch?: number;
  /** Steps of the optimizer so far. */
  steps: number;
  /** Wall time so far. */
  seconds: number;
  /** By name: the weights, `memory/…/0` of the optimizer, `average/…`, and `best/…`. */
  numbers: Numbers;
}

export interface FitOptions extends FitEvents {
  recipe: Recipe;
  seed: number;
  backend: Backend;
  /** Goes on after this, given the same data, recipe, seed and backend, to the same numbers, bit for bit. */
  from?: FitState;
  /** Stops the run between two steps. */
  signal?: AbortSignal;
  /** Ends every epoch after this many steps: for trying things out. */
  maxSteps?: number;
}

/** Which of an epoch's generators: one each, so that switching one off leaves the others as they were. */
const ORDER = 2, AUGMENTATION = 3, DROPOUT = 4;

/** How often the losses are read, to see whether they are still sane: reading waits for the device. */
const CHECK_STEPS = 50;

/** Guessing costs ln(classes), below 7 for a thousand classes. */
const EXPLODED = 1000;

/**
 * Trains a model in place. It ends with the weights of the epoch that was best on the held-out images, or
 * with the last ones if none are held out.
 *
 * @throws {DOMException} `AbortError` if the signal asked to stop
 * @throws {RangeError} if the loss is no longer a number, or enormous
 */
export async function fit(model: Mlp, dataset: Dataset, options: FitOptions): Promise<FitResult> {
  const { recipe, seed, backend, from, signal, maxSteps = Infinity } = options;
  const { train, held } = splitTraining(dataset, recipe.validation, seed);
  const stepsPerEpoch = Math.min(Math.ceil(train.length / recipe.batchSize), maxSteps);
  const { optimizer, decay } = createOptimizer(recipe, backend, model);
  const average = recipe.ema > 0 ? new WeightAverage(model.variables, recipe.ema) : undefined;
  /** What a checkpoint holds, under the names that it has there. */
  const variables = (): Map<string, tf.Variable> => {
    const all = new Map<string, tf.Variable>();
    for (const [name, variable] of model.variables) {
      all.set(name, variable);
      optimizer.memoryOf(variable).forEach((memory, i) => all.set(`memory/${name}/${i}`, memory));
      if (average) all.set(`average/${name}`, average.averages.get(name)!);
    }
    return all;
  };

  const begun = performance.now() - (from?.seconds ?? 0) * 1000;
  const elapsed = (): number => (performance.now() - begun) / 1000;
  const epochs = [...from?.epochs ?? []];
  let steps = from?.steps ?? 0;
  let best: { epoch: number; accuracy: number; weights: Numbers } | undefined;
  try {
    if (from) {
      writeNumbers(variables(), from.numbers);
      optimizer.resume(steps);
      if (from.bestEpoch !== undefined) {
        best = {
          epoch: from.bestEpoch,
          accuracy: epochs[from.bestEpoch - 1]!.validation!.accuracy,
          weights: new Map(
            Array.from(model.variables.keys(), (name) => [name, from.numbers.get(`best/${name}`)!]),
          ),
        };
      }
    }
    while (epochs.length < recipe.epochs && !isStale(epochs.length, best?.epoch, recipe)) {
      const epoch = epochs.length + 1;
      const random = (use: number): Random => new Random(seed, epoch * 8 + use);
      const order = train.slice();
      if (recipe.shuffle) random(ORDER).shuffle(order);
      const drops = random(DROPOUT);
      const batchOptions: BatchOptions = {
        batchSize: recipe.batchSize,
        classes: dataset.labels.length,
        width: dataset.width,
        height: dataset.height,
        augmentation: { ...recipe, random: random(AUGMENTATION) },
      };

      const started = performance.now();
      const losses: number[] = [];
      let unread: tf.Scalar[] = [];
      let step = 0, images = 0, learningRate = recipe.learningRate;
      for (const batch of batches(dataset.train, order, batchOptions)) {
        signal?.throwIfAborted();
        const masks = dropoutMasks(batch.count, recipe.hidden, recipe.dropout, drops);
        learningRate = optimizer.learningRate = learningRateAt(recipe, steps, stepsPerEpoch);

        const { value: loss, grads } = optimizer.computeGradients(() => {
          const logits = model.logits(batch.images, masks);
          return tf.losses.softmaxCrossEntropy(batch.targets, logits).asScalar();
        });
        const gradients = recipe.clip > 0 ? clipGradients(grads, recipe.clip) : grads;
        decay(learningRate);
        // The types ask for variables, but TensorFlow.js's own `minimize` hands it gradients too.
        optimizer.applyGradients(gradients as Record<string, tf.Variable>);
        steps++;
        average?.update(steps);

        tf.dispose([batch.images, batch.targets, ...masks, ...Object.values(gradients)]);
        unread.push(loss);
        images += batch.count;
        step++;
        await options.onStep?.({ epoch, step, images, total: train.length, loss });
        if (unread.length === CHECK_STEPS || step === stepsPerEpoch) {
          losses.push(...await readLosses(unread));
          unread = [];
          backend.check();
          checkLosses(losses, epoch, recipe);
        }
        if (step === stepsPerEpoch) break;
      }
      const trainLoss = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
      const imagesPerSecond = images / (performance.now() - started) * 1000;
      const summary: EpochSummary = { epoch, trainLoss, learningRate, imagesPerSecond };
      const look = async (): Promise<void> => {
        if (held.length === 0) return;
        summary.validation = await score(model, dataset.train, dataset, held);
        const { accuracy } = summary.validation;
        if (!best || accuracy > best.accuracy) {
          best = { epoch, accuracy, weights: await readNumbers(model.variables) };
        }
      };
      await (average ? average.during(look) : look());
      backend.check();
      epochs.push(summary);
      await options.onEpoch?.(summary, async () => {
        const numbers = await readNumbers(variables());
        best?.weights.forEach((weights, name) => numbers.set(`best/${name}`, weights));
        backend.check();
        return {
          epochs: [...epochs],
          steps,
          seconds: elapsed(),
          numbers,
          ...(best && { bestEpoch: best.epoch }),
        };
      });
    }
    if (best) writeNumbers(model.variables, best.weights);
    else if (average) writeNumbers(model.variables, await readNumbers(average.averages));
  } finally {
    optimizer.dispose();
    average?.dispose();
  }
  return { epochs, bestEpoch: best?.epoch ?? epochs.length, seconds: elapsed() };
}

/** Whether it is too long since the best epoch. */
function isStale(epoch: number, bestEpoch: number | undefined, { earlyStopping }: Recipe): boolean {
  return earlyStopping > 0 && bestEpoch !== undefined && epoch - bestEpoch >= earlyStopping;
}

async function readLosses(losses: tf.Scalar[]): Promise<Float32Array> {
  const stacked = tf.stack(losses);
  const values = await stacked.data<"float32">();
  tf.dispose([...losses, stacked]);
  return values;
}

function checkLosses(losses: number[], epoch: number, { learningRate }: Recipe): void {
  const step = losses.findIndex((loss) => !(loss <= EXPLODED));
  if (step < 0) return;
  throw new RangeError(
    `Cannot go on with training as the loss of epoch ${epoch}, batch ${step + 1}, must be a number below ` +
      `${EXPLODED}: current value is ${losses[step]}. A smaller --learning-rate may help (it is ` +
      `${learningRate}), or --clip 1`,
  );
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

/** Which images are learnt from, and which are held out to choose by. */
export interface Held {
  train: Uint32Array<ArrayBuffer>;
  held: Uint32Array<ArrayBuffer>;
}

/** Holds out the data set's own validation images, or else draws some by the seed. */
export function splitTraining(
  { train, labels, validation: own }: Dataset,
  validation: number,
  seed: number,
): Held {
  if (own === undefined) return holdOut(train.labels, labels.length, validation, seed);
  // They are the last ones of its training split.
  return { train: range(train.count - own), held: range(own, train.count - own) };
}

/** Draws so many images by the seed, without overlap, and of every class its share. */
export function holdOut(labels: ArrayLike<number>, classes: number, validation: number, seed: number): Held {
  if (validation === 0) return { train: range(labels.length), held: range(0) };
  const { left, drawn } = stratify(labels, classes, validation / labels.length, seed);
  return { train: Uint32Array.from(left), held: Uint32Array.from(drawn) };
}
