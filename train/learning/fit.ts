/**
 * The training loop: a run is epochs, an epoch is steps and a validation.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { InputError } from "../../shared/errors.ts";
import { Random } from "../../shared/random.ts";
import type { Backend } from "../backend/mod.ts";
import type { Dataset } from "../dataset/mod.ts";
import { type Batch, batches, type BatchOptions, dropoutMasks } from "./batches.ts";
import type { EpochSummary, Score, StepEvent, TrainingListener, TrainingState } from "./events.ts";
import { LossMeter } from "./loss_meter.ts";
import { type Mlp, mlpSizes } from "./mlp.ts";
import { type Numbers, readNumbers, writeNumbers } from "./numbers.ts";
import { clipGradients, createOptimizer, type RecipeOptimizer } from "./optimizer.ts";
import { checkRecipe, learningRateAt, type Recipe } from "./recipe.ts";
import { balanced, balancedCount, splitTraining, type TrainingSplit } from "./split.ts";
import { score } from "./validation.ts";
import { WeightAverage } from "./weight_average.ts";

/** How to train. */
export interface FitOptions {
  /** The hyperparameters. */
  recipe: Recipe;
  /** Seed of the validation sample, the order, the augmentation and dropout. */
  seed: number;
  /** The device, as `useBackend()` returns it. */
  backend: Backend;
  /** Called in this order, one after the other. */
  listeners?: readonly TrainingListener[];
  /** Resumes after this; with the same data, recipe, seed and backend the result is the same to the bit. */
  state?: TrainingState;
  /** Stops the run between two steps. */
  signal?: AbortSignal;
  /** Ends every epoch after this many steps: for dry runs. */
  maxSteps?: number;
}

/** The result of a run. */
export interface FitResult {
  /** The finished epochs. */
  epochs: EpochSummary[];
  /**
   * The epoch whose weights the model now has, from 1 up: the one with the best validation accuracy, or the last one
   * (see {@linkcode fit}). Absent if there are no validation images, and then it is the last one.
   */
  bestEpoch?: number;
  /** Seconds of training, without interruptions. */
  seconds: number;
}

/** One generator for each use and epoch, so that disabling one does not change the others. */
const STREAM = { order: 2, augmentation: 3, dropout: 4, balance: 6, statistics: 7 } as const;

/** Training images over which batch normalization is measured for inference. */
const STATISTICS_IMAGES = 10_000;
/** Images per forward pass of that measurement. */
const STATISTICS_BATCH_SIZE = 1000;

/**
 * Trains a model in place. At the end it has the weights of the epoch with the best validation accuracy. It has those
 * of the last epoch if there are no validation images, or with a cosine schedule without early stopping: the learning
 * rate then ends at 0, and an earlier epoch is better by chance only.
 *
 * @throws {DOMException} `AbortError` if the signal asked to stop
 * @throws {InputError} if model, data set and recipe do not fit together, the state is another model's, or the loss
 * explodes
 */
export async function fit(model: Mlp, dataset: Dataset, options: FitOptions): Promise<FitResult> {
  checkRecipe(options.recipe, dataset);
  checkModel(model, dataset, options.recipe);
  const run = new Run(model, dataset, options);
  try {
    await run.start();
    while (!run.isDone()) await run.epoch();
    await run.keepBestWeights();
    return run.result();
  } finally {
    run.dispose();
  }
}

function checkModel({ sizes }: Mlp, dataset: Dataset, recipe: Recipe): void {
  const expected = mlpSizes(dataset, recipe);
  if (sizes.join() === expected.join()) return;
  throw new InputError(
    "invalid-shape",
    `Cannot train the model as its layers must be ${
      expected.join("-")
    }, as the data set and the recipe say: ` +
      `current layers are ${sizes.join("-")}`,
  );
}

/** The epoch whose weights to keep. */
interface Best {
  epoch: number;
  accuracy: number;
  weights: Numbers;
}

/** A run in progress. */
class Run {
  readonly #model: Mlp;
  readonly #dataset: Dataset;
  readonly #options: FitOptions;
  readonly #listeners: readonly TrainingListener[];
  readonly #split: TrainingSplit;
  readonly #imagesPerEpoch: number;
  readonly #stepsPerEpoch: number;
  readonly #optimizer: RecipeOptimizer;
  readonly #average: WeightAverage | undefined;
  readonly #startedMs: number;
  #epochs: EpochSummary[] = [];
  #steps = 0;
  #best: Best | undefined;

  constructor(model: Mlp, dataset: Dataset, options: FitOptions) {
    const { recipe, seed, backend, state, listeners = [], maxSteps = Infinity } = options;
    this.#model = model;
    this.#dataset = dataset;
    this.#options = options;
    this.#listeners = listeners;
    this.#split = splitTraining(dataset, recipe.validation, seed);
    const { trainIndices } = this.#split;
    this.#imagesPerEpoch = recipe.balance
      ? balancedCount(trainIndices, dataset.train.labels)
      : trainIndices.length;
    const batchCount = Math.ceil(this.#imagesPerEpoch / recipe.batchSize);
    this.#stepsPerEpoch = Math.min(batchCount, maxSteps);
    this.#optimizer = createOptimizer(recipe, backend, model);
    this.#average = recipe.ema > 0
      ? new WeightAverage(model.variables, recipe.ema, backend.gemm !== undefined)
      : undefined;
    this.#startedMs = performance.now() - (state?.seconds ?? 0) * 1000;
  }

  async start(): Promise<void> {
    if (this.#options.state) this.#restore(this.#options.state);
    const event = { model: this.#model, epochsDone: this.#epochs.length, stepsDone: this.#steps };
    for (const listener of this.#listeners) await listener.onStart?.(event);
  }

  isDone(): boolean {
    const { epochs, earlyStopping } = this.#options.recipe;
    const done = this.#epochs.length;
    if (done >= epochs) return true;
    return earlyStopping > 0 && this.#best !== undefined && done - this.#best.epoch >= earlyStopping;
  }

  async epoch(): Promise<void> {
    const epoch = this.#epochs.length + 1;
    const training = await this.#train(epoch);
    const validation = await this.#validate(epoch);
    const summary: EpochSummary = { epoch, ...training, ...(validation && { validation }) };
    this.#epochs.push(summary);
    await this.#checkpoint();
    for (const listener of this.#listeners) await listener.onEpoch?.(summary);
  }

  /** Trains on all training images once. */
  async #train(epoch: number): Promise<Omit<EpochSummary, "epoch" | "validation">> {
    const { recipe, seed, signal, backend } = this.#options;
    const startedMs = performance.now();
    const random = (stream: number): Random => new Random(seed, epoch * 8 + stream);
    const dropout = random(STREAM.dropout);
    const losses = new LossMeter(epoch, recipe, backend);
    let step = 0, images = 0, learningRate = recipe.learningRate;
    signal?.throwIfAborted();
    try {
      for (const batch of this.#batches(random)) {
        learningRate = learningRateAt(recipe, this.#steps, this.#stepsPerEpoch);
        const masks = dropoutMasks(batch.count, recipe.hidden, recipe.dropout, dropout);
        const loss = this.#step(batch, masks, learningRate);
        losses.add(loss);
        step++;
        images += batch.count;
        await this.#reportStep({ epoch, step, images }, loss);
        await losses.readIfDue();
        signal?.throwIfAborted();
        if (step === this.#stepsPerEpoch) break;
      }
      const trainLoss = await losses.mean();
      return { trainLoss, learningRate, imagesPerSecond: images / (performance.now() - startedMs) * 1000 };
    } finally {
      losses.dispose();
    }
  }

  /** The epoch's batches, shuffled and augmented as the recipe says. */
  #batches(random: (stream: number) => Random): Generator<Batch> {
    const { recipe } = this.#options;
    const { train, labels, width, height } = this.#dataset;
    const indices = recipe.balance
      ? balanced(this.#split.trainIndices, train.labels, random(STREAM.balance))
      : this.#split.trainIndices.slice();
    if (recipe.shuffle) random(STREAM.order).shuffle(indices);
    const options: BatchOptions = {
      batchSize: recipe.batchSize,
      classes: labels.length,
      width,
      height,
      augmentation: { ...recipe, random: random(STREAM.augmentation) },
    };
    return batches(train, indices, options);
  }

  /**
   * One step of the optimizer. It disposes of its arguments.
   *
   * @returns the batch's mean cross-entropy, on the device
   */
  #step({ images, targets }: Batch, masks: tf.Tensor2D[], learningRate: number): tf.Scalar {
    const { clip } = this.#options.recipe;
    const { optimizer, decay } = this.#optimizer;
    optimizer.learningRate = learningRate;
    const { value: loss, grads } = optimizer.computeGradients(() =>
      tf.losses.softmaxCrossEntropy(targets, this.#model.logits(images, { training: true, masks })).asScalar()
    );
    const gradients = clip > 0 ? clipGradients(grads, clip) : grads;
    decay(learningRate);
    // The types ask for variables, but TensorFlow.js's own `minimize` passes gradients too.
    optimizer.applyGradients(gradients as Record<string, tf.Variable>);
    this.#steps++;
    this.#average?.update(this.#steps);
    tf.dispose([images, targets, ...masks, ...Object.values(gradients)]);
    return loss;
  }

  async #reportStep(event: Pick<StepEvent, "epoch" | "step" | "images">, loss: tf.Scalar): Promise<void> {
    if (this.#listeners.length === 0) return;
    const { backend } = this.#options;
    const step: StepEvent = {
      ...event,
      totalSteps: this.#steps,
      imagesPerEpoch: this.#imagesPerEpoch,
      async readLoss(): Promise<number> {
        const [value] = await loss.data();
        backend.check();
        return value!;
      },
    };
    for (const listener of this.#listeners) await listener.onStep?.(step);
  }

  /** Measures the statistics of batch normalization for the current weights, on training images without mixup. */
  #measureStatistics(): void {
    if (this.#model.statistics.size === 0) return;
    const { recipe, seed } = this.#options;
    const { train, labels, width, height } = this.#dataset;
    const random = new Random(seed, STREAM.statistics); // the same images after every epoch
    const indices = this.#split.trainIndices.slice();
    random.shuffle(indices);
    const sample = batches(train, indices.subarray(0, STATISTICS_IMAGES), {
      batchSize: STATISTICS_BATCH_SIZE,
      classes: labels.length,
      width,
      height,
      augmentation: { ...recipe, mixup: 0, random },
    });
    this.#model.measureStatistics(function* (): Generator<tf.Tensor2D> {
      for (const { images, targets } of sample) {
        yield images;
        tf.dispose([images, targets]);
      }
    }());
  }

  #keepsLast(): boolean {
    const { schedule, earlyStopping } = this.#options.recipe;
    return schedule === "cosine" && earlyStopping === 0;
  }

  /** Measures the epoch on the validation images, if there are any, and copies the weights if they are the best. */
  async #validate(epoch: number): Promise<Score | undefined> {
    const { validationIndices } = this.#split;
    if (validationIndices.length === 0) return undefined;
    const measure = async (): Promise<Score> => {
      this.#measureStatistics();
      const validation = await score(this.#model, this.#dataset.train, this.#dataset, validationIndices);
      const { accuracy } = validation;
      if (this.#keepsLast() || !this.#best || accuracy > this.#best.accuracy) {
        this.#best = { epoch, accuracy, weights: await readNumbers(this.#inferenceVariables()) };
      }
      return validation;
    };
    const validation = await (this.#average ? this.#average.during(measure) : measure());
    this.#options.backend.check();
    return validation;
  }

  async #checkpoint(): Promise<void> {
    if (!this.#listeners.some(({ onCheckpoint }) => onCheckpoint)) return;
    const numbers = await readNumbers(this.#variables());
    this.#best?.weights.forEach((weights, name) => numbers.set(`best/${name}`, weights));
    this.#options.backend.check();
    const state: TrainingState = { ...this.result(), steps: this.#steps, numbers };
    for (const listener of this.#listeners) await listener.onCheckpoint?.(state);
  }

  #restore({ epochs, bestEpoch, steps, numbers }: TrainingState): void {
    writeNumbers(this.#variables(), numbers);
    this.#epochs = [...epochs];
    this.#steps = steps;
    this.#optimizer.optimizer.resume(steps);
    if (bestEpoch === undefined) return;
    const names = [...this.#inferenceVariables().keys()];
    this.#best = {
      epoch: bestEpoch,
      accuracy: epochs[bestEpoch - 1]!.validation!.accuracy,
      weights: new Map(names.map((name) => [name, numbers.get(`best/${name}`)!])),
    };
  }

  /** The variables of a checkpoint, by name. */
  #variables(): Map<string, tf.Variable> {
    const variables = new Map<string, tf.Variable>();
    for (const [name, variable] of this.#model.variables) {
      variables.set(name, variable);
      const memory = this.#optimizer.optimizer.memoryOf(variable);
      memory.forEach((part, i) => variables.set(`memory/${name}/${i}`, part));
      if (this.#average) variables.set(`average/${name}`, this.#average.averages.get(name)!);
    }
    return variables;
  }

  /** The variables that inference needs. */
  #inferenceVariables(): Map<string, tf.Variable> {
    return new Map([...this.#model.variables, ...this.#model.statistics]);
  }

  async keepBestWeights(): Promise<void> {
    if (this.#best) return writeNumbers(this.#inferenceVariables(), this.#best.weights);
    if (this.#average) writeNumbers(this.#model.variables, await readNumbers(this.#average.averages));
    this.#measureStatistics();
  }

  result(): FitResult {
    return {
      epochs: [...this.#epochs],
      ...(this.#best && { bestEpoch: this.#best.epoch }),
      seconds: (performance.now() - this.#startedMs) / 1000,
    };
  }

  dispose(): void {
    this.#optimizer.optimizer.dispose();
    this.#average?.dispose();
  }
}
