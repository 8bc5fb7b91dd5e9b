/**
 * Optimizers that update the weights in place, in one pass: TensorFlow.js's make about six passes, with a new tensor
 * in each. After `useGemm()`, they are used like TensorFlow.js's, for example with `minimize`.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import type { HeapMath } from "./heap_math.ts";
import { MemoryOptimizer } from "./memory_optimizer.ts";
import { heapMath } from "./registry.ts";

/** An optimizer that works on the addresses of tensors. */
abstract class HeapOptimizer extends MemoryOptimizer {
  protected override update(variable: tf.Variable, gradient: tf.Tensor, memory: tf.Variable[]): void {
    const math = heapMath();
    const weights = takeOver(variable);
    this.updateHeap(math, variable, weights, addressOf(gradient), memory.map(addressOf));
  }

  /** Updates one variable, given the addresses of its weights, its gradients and its state. */
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

/** Options of {@linkcode HeapAdamW}; the defaults are PyTorch's, except for the weight decay. */
export interface AdamWOptions {
  beta1?: number;
  beta2?: number;
  epsilon?: number;
  /** Decoupled weight decay, multiplied by the learning rate; 0 for Adam. */
  weightDecay?: number;
  /** The variables that decay; all by default. */
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

/** Makes a variable the only user of its memory, and returns the address. */
function takeOver(variable: tf.Variable): number {
  const backend = tf.backend() as unknown as BackendWasm;
  if (variable.dtype !== "float32") {
    throw new TypeError(
      `Cannot train "${variable.name}" as it must be float32: current type is ${variable.dtype}`,
    );
  }
  // Tensors made by `clone` and `reshape` share the memory: they keep it, and the variable gets a copy.
  if (backend.refCount(variable.dataId) > 1) tf.tidy(() => variable.assign(tf.mul(variable, 1)));
  const { id, memoryOffset } = backend.dataIdMap.get(variable.dataId);
  // XNNPACK caches packed weights by the tensor's id. Registering the tensor again drops them.
  backend.wasm.tfjs.disposeData(id);
  backend.wasm.tfjs.registerTensor(id, variable.size, memoryOffset);
  return memoryOffset;
}
