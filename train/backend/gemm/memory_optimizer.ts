/**
 * What optimizers that remember past gradients have in common, for any backend of TensorFlow.js.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";

/** A learning rate that may change, and tensors that go with each variable. */
export abstract class MemoryOptimizer extends tf.Optimizer {
  /** May change between steps. */
  learningRate: number;
  readonly #memories = new Map<string, tf.Variable[]>();
  readonly #size: number;

  /** @param size how many tensors each variable needs */
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

  /** Does one variable's step. `iterations` is the number of steps before it. */
  protected abstract update(variable: tf.Variable, gradient: tf.Tensor, memory: tf.Variable[]): void;

  /** What is remembered of a variable; all zeros before its first step. */
  memoryOf({ name, shape }: tf.Variable): tf.Variable[] {
    let memory = this.#memories.get(name);
    if (!memory) {
      memory = Array.from({ length: this.#size }, () => tf.tidy(() => tf.variable(tf.zeros(shape), false)));
      this.#memories.set(name, memory);
    }
    return memory;
  }

  /** Goes on after so many steps; the memory is to be assigned besides. */
  resume(steps: number): void {
    this.iterations_ = steps;
  }

  override dispose(): void {
    for (const memory of this.#memories.values()) tf.dispose(memory);
    this.#memories.clear();
    super.dispose();
  }
}
