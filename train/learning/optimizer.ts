/**
 * Creates the optimizer of a recipe: in place in the memory of the WASM backend if our kernels are in use, else with
 * TensorFlow.js's operations. Their results differ by rounding only.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import type { Backend } from "../backend/mod.ts";
import { MemoryOptimizer } from "../backend/gemm/memory_optimizer.ts";
import { HeapAdamW, HeapSgd } from "../backend/gemm/optimizers.ts";
import type { Mlp } from "./mlp.ts";
import type { Recipe } from "./recipe.ts";

/** PyTorch's customary momentum. */
const MOMENTUM = 0.9;

/** The optimizer of a recipe, with its weight decay. */
export interface RecipeOptimizer {
  optimizer: MemoryOptimizer;
  /** Decays the weight matrices, unless the optimizer does so itself. To be called before each step. */
  decay(learningRate: number): void;
}

/** Creates the optimizer of a recipe for the backend in use. */
export function createOptimizer(
  { optimizer: name, learningRate, weightDecay }: Recipe,
  { gemm }: Backend,
  { matrices }: Mlp,
): RecipeOptimizer {
  const adaptive = name === "adam" || name === "adamw";
  if (adaptive && gemm) {
    return { optimizer: new HeapAdamW(learningRate, { weightDecay, decayed: matrices }), decay(): void {} };
  }
  const Sgd = gemm ? HeapSgd : TensorSgd;
  return {
    optimizer: adaptive
      ? new TensorAdam(learningRate)
      : new Sgd(learningRate, name === "momentum" ? MOMENTUM : 0),
    decay(learningRate): void {
      if (weightDecay === 0) return;
      const factor = 1 - learningRate * weightDecay;
      tf.tidy(() => matrices.forEach((matrix) => matrix.assign(tf.mul(matrix, factor))));
    },
  };
}

/**
 * Scales gradients down to a global norm of at most `limit` (arXiv:1211.5063), and disposes of the originals.
 */
export function clipGradients(gradients: tf.NamedTensorMap, limit: number): tf.NamedTensorMap {
  const clipped = tf.tidy(() => {
    const length = tf.sqrt(tf.addN(Object.values(gradients).map((gradient) => tf.sum(tf.square(gradient)))));
    const factor = tf.minimum(1, tf.div(limit, tf.add(length, 1e-6)));
    return Object.fromEntries(
      Object.entries(gradients).map(([name, gradient]) => [name, tf.mul(gradient, factor)]),
    );
  });
  tf.dispose(gradients);
  return clipped;
}

/** The same as {@linkcode HeapSgd}, with operations of TensorFlow.js. */
class TensorSgd extends MemoryOptimizer {
  static readonly className = "TensorSgd";
  readonly #momentum: number;

  constructor(learningRate: number, momentum = 0) {
    super(learningRate, momentum === 0 ? 0 : 1);
    this.#momentum = momentum;
  }

  protected override update(variable: tf.Variable, gradient: tf.Tensor, [velocity]: tf.Variable[]): void {
    tf.tidy(() => {
      velocity?.assign(tf.add(tf.mul(velocity, this.#momentum), gradient));
      variable.assign(tf.sub(variable, tf.mul(velocity ?? gradient, this.learningRate)));
    });
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { learningRate: this.learningRate, momentum: this.#momentum };
  }
}

/**
 * The same as {@linkcode HeapAdamW} without decay. TensorFlow.js's Adam cannot be resumed to the bit: it keeps
 * the powers of its betas in float32, and computes them anew.
 */
class TensorAdam extends MemoryOptimizer {
  static readonly className = "TensorAdam";

  constructor(learningRate: number) {
    super(learningRate, 2);
  }

  protected override update(variable: tf.Variable, gradient: tf.Tensor, memory: tf.Variable[]): void {
    const [mean, square] = memory as [tf.Variable, tf.Variable];
    const step = this.iterations + 1;
    tf.tidy(() => {
      mean.assign(tf.add(tf.mul(mean, 0.9), tf.mul(gradient, 0.1)));
      square.assign(tf.add(tf.mul(square, 0.999), tf.mul(tf.square(gradient), 0.001)));
      const root = tf.sqrt(tf.mul(square, 1 / (1 - 0.999 ** step)));
      const direction = tf.div(mean, tf.add(root, 1e-8));
      variable.assign(tf.sub(variable, tf.mul(direction, this.learningRate / (1 - 0.9 ** step))));
    });
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { learningRate: this.learningRate };
  }
}
