/**
 * What training reports while it runs. Progress bars, TensorBoard and checkpoints are listeners.
 *
 * @module
 */
import type { Mlp } from "./mlp.ts";
import type { Numbers } from "./numbers.ts";

/**
 * Receives the events of a run; every method is optional. Training waits for the promises that they return, and
 * an error that a listener throws ends the run.
 *
 * @example
 * ```ts
 * import type { TrainingListener } from "./events.ts";
 *
 * const progress: TrainingListener = {
 *   onEpoch: ({ epoch, trainLoss }) => console.log(`epoch ${epoch}: loss ${trainLoss.toFixed(4)}`),
 * };
 * console.assert(progress.onStep === undefined);
 * ```
 */
export interface TrainingListener {
  /** Before the first step, with the model on the device. */
  onStart?(event: StartEvent): void | Promise<void>;
  /** After every step of the optimizer. */
  onStep?(event: StepEvent): void | Promise<void>;
  /** After every epoch, with everything that is needed to resume after it. Without a listener nothing is read. */
  onCheckpoint?(state: TrainingState): void | Promise<void>;
  /** After every epoch, its validation and its checkpoint. */
  onEpoch?(summary: EpochSummary): void | Promise<void>;
}

/** The beginning of a run, or of the rest of a resumed one. */
export interface StartEvent {
  /** The model in training; it must not be used after the run. */
  model: Mlp;
  /** Epochs that an earlier, interrupted run has finished. */
  epochsDone: number;
  /** Steps of the optimizer in those epochs. */
  stepsDone: number;
}

/** One step of the optimizer. */
export interface StepEvent {
  /** From 1 up. */
  epoch: number;
  /** In this epoch, from 1 up. */
  step: number;
  /** In the whole run, from 1 up. */
  totalSteps: number;
  /** Training images seen in this epoch. */
  images: number;
  /** Training images in an epoch. */
  imagesPerEpoch: number;
  /**
   * Reads the batch's mean cross-entropy from the device, which waits for it: call this for a few steps only, and
   * before the listener returns.
   *
   * @throws {Error} if the device has failed
   */
  readLoss(): Promise<number>;
}

/** One epoch in numbers. */
export interface EpochSummary {
  /** From 1 up. */
  epoch: number;
  /** Mean cross-entropy over the epoch's steps, with dropout and augmentation on. */
  trainLoss: number;
  /** On the validation images; absent if there are none. */
  validation?: Score;
  /** The learning rate of the epoch's last step. */
  learningRate: number;
  /** Training images per second, without the validation. */
  imagesPerSecond: number;
}

/** How well a model classifies some images. */
export interface Score {
  /** 0..1 */
  accuracy: number;
  /** Mean cross-entropy. */
  loss: number;
}

/**
 * Where a run stands after an epoch. The state of the random generators is not part of it, as each epoch seeds its
 * own.
 */
export interface TrainingState {
  /** The finished epochs. */
  epochs: EpochSummary[];
  /** The epoch whose weights would be kept now, from 1 up; absent if there are no validation images. */
  bestEpoch?: number;
  /** Steps of the optimizer so far. */
  steps: number;
  /** Seconds of training so far. */
  seconds: number;
  /** By name: the weights, `memory/…/0` of the optimizer, `average/…`, and `best/…`. */
  numbers: Numbers;
}
