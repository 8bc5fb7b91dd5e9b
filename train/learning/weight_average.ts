/**
 * An exponential moving average (EMA) of the weights, which depends less on the last steps than the weights do.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { averageInPlace } from "../backend/gemm/optimizers.ts";

/** Averages variables exponentially: a = d·a + (1−d)·w after each step. */
export class WeightAverage {
  /** The averages, by the names of the variables; a checkpoint reads and writes them. */
  readonly averages: Map<string, tf.Variable>;
  readonly #variables: Map<string, tf.Variable>;
  readonly #decay: number;
  readonly #inPlace: boolean;

  /**
   * Starts at the current values of the variables.
   *
   * @param decay per step, 0..1
   * @param inPlace whether to compute in WebAssembly; the backend must be WASM with our kernels
   */
  constructor(variables: Map<string, tf.Variable>, decay: number, inPlace: boolean) {
    this.#inPlace = inPlace;
    this.#variables = variables;
    this.#decay = decay;
    this.averages = new Map(Array.from(variables, ([name, variable]) => [name, copyOf(variable)]));
  }

  /**
   * Call this after each step.
   *
   * @param step from 1 up: the decay is smaller in the first steps, so that the initial weights soon lose influence
   */
  update(step: number): void {
    const decay = Math.min(this.#decay, step / (step + 10));
    if (this.#inPlace) {
      for (const [name, average] of this.averages) averageInPlace(average, this.#variables.get(name)!, decay);
      return;
    }
    tf.tidy(() => {
      for (const [name, average] of this.averages) {
        const weights = this.#variables.get(name)!;
        average.assign(tf.add(tf.mul(average, decay), tf.mul(weights, 1 - decay)));
      }
    });
  }

  /** Runs a function while the variables have the values of the averages. */
  async during<T>(run: () => Promise<T>): Promise<T> {
    this.#swap();
    try {
      return await run();
    } finally {
      this.#swap();
    }
  }

  /** Frees the device's memory. */
  dispose(): void {
    tf.dispose([...this.averages.values()]);
  }

  #swap(): void {
    tf.tidy(() => {
      for (const [name, average] of this.averages) {
        const variable = this.#variables.get(name)!;
        // Copies, as an optimizer may write to the memory of a variable.
        const weights = tf.mul(variable, 1);
        variable.assign(tf.mul(average, 1));
        average.assign(weights);
      }
    });
  }
}

function copyOf(variable: tf.Variable): tf.Variable {
  return tf.tidy(() => tf.variable(tf.mul(variable, 1), false));
}
