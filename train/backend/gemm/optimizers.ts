/**
 * Optimizers that write to the weights' own memory, in one pass: TensorFlow.js's make half a dozen passes and
 * a new tensor in each. They are used like TensorFlow.js's, with `minimize` and the like, after `useGemm()`.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import type { HeapMath } from "./heap_math.ts";
import { MemoryOptimizer } from "./memory_optimizer.ts";
import { heapMath } from "./registry.ts";

/** Finds the memory of the tensors that a step is about. */
abstract class HeapOptimizer extends MemoryOptimizer {
  protected override update(variable: tf.Variable, gradient: tf.Tensor, memory: tf.Variable[]): void {
    const math = heapMath();
    const weights = takeOver(variable);
    this.updateHeap(math, variable, weights, addressOf(gradient), memory.map(addressOf));
  }

  /** Does one variable's step, given the addresses of its weights, its gradients and its memory. */
  protected abstract updateHeap(
    math: HeapMath,
    variable: tf.Variable,
    weights: number,
    gradients: number,
    memory: number[],
  ): void;
}

/** Stochastic gradient descent, as PyTorch's SGD: with a momentum, v = momentum·v + g and w = w − rate·v. */
export class HeapSgd extends HeapOptimizer {
  static readonly className = "HeapSgd";
  readonly #momentum: number;

  constructor(learningRate: number, momentum = 0) {
    super(learningRate, momentum === 0 ? 0 : 1);
    this.#momentum = momentum;
  }

  protected override updateHeap(
    math: HeapMath,
    { size }: tf.Variable,
    weights: number,
    gradients: number,
    [velocities = 0]: number[],
  ): void {
    math.sgd(weights, gradients, velocities, size, this.learningRate, this.#momentum);
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { learningRate: this.learningRate, momentum: this.#momentum };
  }
}

/** What {@linkcode HeapAdamW} can be told; the defaults are PyTorch's, but for the decay. */
export interface AdamWOptions {
  beta1?: number;
  beta2?: number;
  epsilon?: number;
  /** Decoupled, times the learning rate; 0 makes it Adam. */
  weightDecay?: number;
  /** What decays; by default all. */
  decayed?: readonly tf.Variable[];
}

/** AdamW (arXiv:1711.05101), as PyTorch's. */
export class HeapAdamW extends HeapOptimizer {
  static readonly className = "HeapAdamW";
  readonly #options: Required<Omit<AdamWOptions, "decayed">>;
  readonly #decayed: ReadonlySet<string> | undefined;

  constructor(learningRate: number, { decayed, ...options }: AdamWOptions = {}) {
    super(learningRate, 2);
    this.#options = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, ...options };
    this.#decayed = decayed && new Set(decayed.map(({ name }) => name));
  }

  protected override updateHeap(
    math: HeapMath,
    { name, size }: tf.Variable,
    weights: number,
    gradients: number,
    [means, squares]: number[],
  ): void {
    const { beta1, beta2, epsilon, weightDecay } = this.#options;
    const step = this.iterations + 1;
    const decays = this.#decayed?.has(name) ?? true;
    math.adamW(
      ...[weights, gradients, means!, squares!, size] as const,
      this.learningRate / (1 - beta1 ** step),
      decays ? 1 - this.learningRate * weightDecay : 1,
      ...[beta1, beta2] as const,
      1 / (1 - beta2 ** step),
      epsilon,
    );
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { learningRate: this.learningRate, ...this.#options };
  }
}

/** a = decay·a + (1 − decay)·w, in the average's own memory. */
export function averageInPlace(average: tf.Variable, weights: tf.Variable, decay: number): void {
  heapMath().average(takeOver(average), addressOf(weights), weights.size, decay, 1 - decay);
}

function addressOf({ dataId }: tf.Tensor): number {
  return (tf.backend() as unknown as BackendWasm).dataIdMap.get(dataId).memoryOffset;
}

/** Makes sure that no one else sees a variable's memory, and answers with its address. */
function takeOver(variable: tf.Variable): number {
  const backend = tf.backend() as unknown as BackendWasm;
  if (variable.dtype !== "float32") {
    throw new TypeError(
      `Cannot train "${variable.name}" as it must be float32: current type is ${variable.dtype}`,
    );
  }
  // Someone keeps the numbers as they are now, as `clone` and `reshape` do: leave these to them.
  if (backend.refCount(variable.dataId) > 1) tf.tidy(() => variable.assign(tf.mul(variable, 1)));
  const { id, memoryOffset } = backend.dataIdMap.get(variable.dataId);
  // XNNPACK keeps packed copies of weights by their number. Signing off and on again makes it forget them.
  backend.wasm.tfjs.disposeData(id);
  backend.wasm.tfjs.registerTensor(id, variable.size, memoryOffset);
  return memoryOffset;
}
