/**
 * The losses of an epoch's steps. Reading one waits for the device, so they are read in groups.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { InputError } from "../../shared/errors.ts";
import type { Backend } from "../backend/mod.ts";
import type { Recipe } from "./recipe.ts";

/** Steps between two reads. */
const READ_STEPS = 50;

/** Guessing has a loss of ln(classes), which is below 7 for a thousand classes. */
const MAX_LOSS = 1000;

/** Collects the losses of one epoch and stops a run whose loss explodes. */
export class LossMeter {
  readonly #epoch: number;
  readonly #recipe: Recipe;
  readonly #backend: Backend;
  readonly #losses: number[] = [];
  #unread: tf.Scalar[] = [];

  /** @param epoch named in errors */
  constructor(epoch: number, recipe: Recipe, backend: Backend) {
    this.#epoch = epoch;
    this.#recipe = recipe;
    this.#backend = backend;
  }

  /** Adds one step's loss, which the meter disposes of. */
  add(loss: tf.Scalar): void {
    this.#unread.push(loss);
  }

  /**
   * Reads the losses if there are enough of them.
   *
   * @throws {InputError} if a loss is not a number, or above 1000
   */
  async readIfDue(): Promise<void> {
    if (this.#unread.length === READ_STEPS) await this.#read();
  }

  /**
   * The mean of all losses.
   *
   * @throws {InputError} as {@linkcode readIfDue}
   */
  async mean(): Promise<number> {
    if (this.#unread.length > 0) await this.#read();
    return this.#losses.reduce((sum, loss) => sum + loss, 0) / this.#losses.length;
  }

  /** Frees the device's memory. */
  dispose(): void {
    tf.dispose(this.#unread);
    this.#unread = [];
  }

  async #read(): Promise<void> {
    const stacked = tf.stack(this.#unread);
    this.#losses.push(...await stacked.data<"float32">());
    stacked.dispose();
    this.dispose();
    this.#backend.check();
    this.#check();
    // Lets signals and timers through: steps on the CPU never yield to the event loop.
    await new Promise((resolve) => setTimeout(resolve));
  }

  #check(): void {
    const step = this.#losses.findIndex((loss) => !(loss <= MAX_LOSS));
    if (step < 0) return;
    throw new InputError(
      "invalid-value",
      `Cannot continue training as the loss of epoch ${this.#epoch}, batch ${
        step + 1
      }, must be a number below ` +
        `${MAX_LOSS}: current value is ${this.#losses[step]}`,
      {
        hint:
          `Lower the learning rate (--learning-rate, now ${this.#recipe.learningRate}) or clip the gradients ` +
          "(--clip 1)",
      },
    );
  }
}
