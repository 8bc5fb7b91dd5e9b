/**
 * The base class of optimizers with state, such as momentum, for any backend of TensorFlow.js.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";

/** An optimizer with a learning rate that may change, and with state for each variable. */
export abstract class MemoryOptimizer extends tf.Optimizer {
  /** May change between steps. */
  learningRate: number;
  readonly #memories = new Map<string, tf.Variable[]>();
  readonly #size: number;

  /** @param size number of state tensors per variable */
  constructor(learningRate: number, size: number) {
    super();
    this.learningRate = learningRate;
    this.#size = size;
  }

  override applyGradients(gradients: Parameters<tf.Optimizer["applyGradients"]>[0]): void {
    const named = Array.isArray(gradients)
      ? gradients.map(({ name, tensor }) => [name, tensor] as const)
      : Object.entries(gradients);
    for (const [name, gradient] of named) {
      if (!gradient) continue; // the loss does not depend on it
      const variable = tf.engine().registeredVariables[name]!;
      this.update(variable, gradient, this.memoryOf(variable));
    }
    this.incrementIterations();
  }

  /** Updates one variable. `iterations` is the number of steps before this one. */
  protected abstract update(variable: tf.Variable, gradient: tf.Tensor, memory: tf.Variable[]): void;

  /** The state of a variable; zeros before its first step. */
  memoryOf({ name, shape }: tf.Variable): tf.Variable[] {
    let memory = this.#memories.get(name);
    if (!memory) {
      memory = Array.from({ length: this.#size }, () => tf.tidy(() => tf.variable(tf.zeros(shape), false)));
      this.#memories.set(name, memory);
    }
    return memory;
  }

  /** Sets the number of steps already taken; the caller restores the state of the variables. */
  resume(steps: number): void {
    this.iterations_ = steps;
  }

  override dispose(): void {
    for (const memory of this.#memories.values()) tf.dispose(memory);
    this.#memories.clear();
    super.dispose();
  }
}
