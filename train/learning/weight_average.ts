/**
 * A moving average of the weights: it has less of the last steps' noise than the weights themselves.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";

/** Averages variables exponentially: a = d·a + (1−d)·w after each step. */
export class WeightAverage {
  /** The averages, by the names of the variables; to be read and assigned for a checkpoint. */
  readonly averages: Map<string, tf.Variable>;
  readonly #variables: Map<string, tf.Variable>;
  readonly #decay: number;

  /**
   * Begins with the variables as they are.
   *
   * @param decay 0..1
   */
  constructor(variables: Map<string, tf.Variable>, decay: number) {
    this.#variables = variables;
    this.#decay = decay;
    this.averages = new Map(Array.from(variables, ([name, variable]) => [name, copyOf(variable)]));
  }

  /**
   * To be called after each step.
   *
   * @param step from 1 up: an average of few steps forgets faster, so that it leaves the first weights behind
   */
  update(step: number): void {
    const decay = Math.min(this.#decay, step / (step + 10));
    tf.tidy(() => {
      for (const [name, average] of this.averages) {
        const weights = this.#variables.get(name)!;
        average.assign(tf.add(tf.mul(average, decay), tf.mul(weights, 1 - decay)));
      }
    });
  }

  /** Puts the averages in the variables' place for as long as `run` takes. */
  async during<T>(run: () => Promise<T>): Promise<T> {
    this.#swap();
    try {
      return await run();
    } finally {
      this.#swap();
    }
  }

  dispose(): void {
    tf.dispose([...this.averages.values()]);
  }

  #swap(): void {
    tf.tidy(() => {
      for (const [name, average] of this.averages) {
        const variable = this.#variables.get(name)!;
        // A tensor of its own for each, as an optimizer may write to the memory of a variable.
        const held = tf.mul(variable, 1);
        variable.assign(tf.mul(average, 1));
        average.assign(held);
      }
    });
  }
}

function copyOf(variable: tf.Variable): tf.Variable {
  return tf.tidy(() => tf.variable(tf.mul(variable, 1), false));
}
