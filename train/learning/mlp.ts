/**
 * The network: Flatten, then alternating Linear and ReLU layers, ending with a Linear layer that has one logit per
 * class. `784-512-512-10` is the network of PyTorch's quickstart. In training, batch normalization may follow each
 * hidden Linear layer; for inference it is folded into that layer.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import type { Dataset } from "../dataset/mod.ts";
import { inputSize } from "./batches.ts";
import type { Recipe } from "./recipe.ts";
import { BatchNorm, foldBatchNorm } from "./batch_norm.ts";
import { linear } from "../backend/gemm/linear.ts";
import { usesGemm } from "../backend/gemm/registry.ts";
import { foldStandardization, measureInputs, type Standardization } from "./standardization.ts";
import { splitTraining } from "./split.ts";
import { TorchRandom } from "./torch_random.ts";

/** A fully connected layer, `y = xAᵀ + b`, and its normalization. */
interface Layer {
  /** A, `[out, in]`: PyTorch's layout, not TensorFlow's. */
  weight: tf.Variable<tf.Rank.R2>;
  /** `[out]`; absent before a normalization, which has a bias of its own. */
  bias?: tf.Variable<tf.Rank.R1>;
  norm?: BatchNorm;
}

/** Optional parts of a network. */
export interface MlpOptions {
  /** Applied to the input before the first layer; none if absent. */
  standardization?: Standardization | undefined;
  /** Whether batch normalization follows each hidden Linear layer in training; false if absent. */
  batchNorm?: boolean;
}

/** How to compute {@linkcode Mlp.logits}. */
export interface ForwardOptions {
  /** Whether batch normalization uses the statistics of the batch; false if absent. */
  training?: boolean;
  /** Dropout masks: one `[N, features]` tensor per hidden layer, which its output is multiplied by. */
  masks?: readonly tf.Tensor2D[];
}

/** The weights of one layer, in PyTorch's layout: `y = xAᵀ + b`. */
export interface LinearWeights {
  /** Number of inputs. */
  inFeatures: number;
  /** Number of outputs. */
  outFeatures: number;
  /** A, `[out, in]`, row-major. */
  weight: Float32Array<ArrayBuffer>;
  /** b, `[out]`. */
  bias: Float32Array<ArrayBuffer>;
}

/**
 * Features from input to output of the network for a data set and a recipe.
 *
 * @returns as `[784, 512, 512, 10]`
 */
export function mlpSizes(
  { train, labels }: Pick<Dataset, "train" | "labels">,
  { hidden }: Pick<Recipe, "hidden">,
): number[] {
  return [inputSize(train), ...hidden, labels.length];
}

/** The initial network for a data set and a recipe. */
export function createMlp(dataset: Dataset, recipe: Recipe, seed: number): Mlp {
  const { trainIndices } = splitTraining(dataset, recipe.validation, seed);
  const standardization = recipe.standardize ? measureInputs(dataset, trainIndices) : undefined;
  return new Mlp(mlpSizes(dataset, recipe), seed, { standardization, batchNorm: recipe.batchNorm });
}

/** A multilayer perceptron (MLP) whose weights are on the TensorFlow.js backend. */
export class Mlp {
  /** Features from input to output, as `[784, 512, 512, 10]`. */
  readonly sizes: readonly number[];
  readonly #layers: Layer[];
  readonly #standardization: { mean: tf.Tensor1D; scale: tf.Tensor1D; values: Standardization } | undefined;

  /**
   * Initializes as PyTorch's Linear does by default: weights and biases uniform in ±1/√in, and the same numbers as
   * after `torch.manual_seed(seed)` on a CPU.
   *
   * @param sizes features from input to output, as `[784, 512, 512, 10]`
   */
  constructor(
    sizes: readonly number[],
    seed: number,
    { standardization, batchNorm = false }: MlpOptions = {},
  ) {
    this.sizes = sizes;
    this.#standardization = standardization && {
      mean: tf.tensor1d(standardization.mean),
      scale: tf.tensor1d(standardization.deviation.map((deviation) => 1 / deviation)),
      values: standardization,
    };
    const random = new TorchRandom(seed);
    this.#layers = sizes.slice(1).map((outFeatures, i) => {
      const inFeatures = sizes[i]!;
      const bound = 1 / Math.sqrt(inFeatures);
      const draw = (count: number): Float32Array =>
        Float32Array.from({ length: count }, () => random.uniform(-bound, bound));
      // tf.tidy() disposes of the initial tensor but keeps the variable.
      const weight = tf.tidy(() =>
        tf.variable(tf.tensor2d(draw(outFeatures * inFeatures), [outFeatures, inFeatures]))
      );
      if (batchNorm && i < sizes.length - 2) return { weight, norm: new BatchNorm(outFeatures) };
      return { weight, bias: tf.tidy(() => tf.variable(tf.tensor1d(draw(outFeatures)))) };
    });
  }

  /** Number of weights and biases for inference. */
  get parameterCount(): number {
    return this.#layers.reduce((sum, { weight }) => sum + weight.size + weight.shape[0], 0);
  }

  /**
   * The trained variables, by their names in PyTorch's `state_dict`.
   *
   * @internal
   */
  get variables(): Map<string, tf.Variable> {
    return this.#named(({ weight, bias, norm }) => [
      { weight, ...(bias && { bias }) },
      { ...(norm && { weight: norm.weight, bias: norm.bias }) },
    ]);
  }

  /**
   * The variables of {@linkcode measureStatistics}, by their names in PyTorch's `state_dict`; none without batch
   * normalization.
   *
   * @internal
   */
  get statistics(): Map<string, tf.Variable> {
    return this.#named(({ norm }) => [
      {},
      { ...(norm && { running_mean: norm.mean, running_var: norm.variance }) },
    ]);
  }

  /**
   * The weight matrices without the biases: weight decay applies to these.
   *
   * @internal
   */
  get matrices(): tf.Variable<tf.Rank.R2>[] {
    return this.#layers.map(({ weight }) => weight);
  }

  /**
   * The forward pass.
   *
   * @param images `[N, in]`, 0..1
   * @returns logits, `[N, out]`
   *
   * @internal
   */
  logits(images: tf.Tensor2D, { training = false, masks = [] }: ForwardOptions = {}): tf.Tensor2D {
    return this.#forward(images, masks, (norm, x) => training ? norm.train(x) : norm.infer(x));
  }

  /**
   * Measures the statistics that batch normalization uses for inference.
   *
   * @param batches training images, `[N, in]` each, which the caller disposes of
   *
   * @internal
   */
  measureStatistics(batches: Iterable<tf.Tensor2D>): void {
    let images = 0;
    for (const batch of batches) {
      const count = batch.shape[0];
      images += count;
      tf.tidy(() => this.#forward(batch, [], (norm, x) => norm.measure(x, count / images)));
    }
  }

  /**
   * Reads the weights for inference from the device: normalizations and standardization are folded into the layers.
   */
  async weights(): Promise<LinearWeights[]> {
    const layers = await Promise.all(this.#layers.map(async ({ weight, bias, norm }) => {
      const [outFeatures, inFeatures] = weight.shape;
      const linear = { inFeatures, outFeatures, weight: await read(weight) };
      if (!norm) return { ...linear, bias: await read(bias!) };
      return foldBatchNorm(linear, {
        weight: await read(norm.weight),
        bias: await read(norm.bias),
        mean: await read(norm.mean),
        variance: await read(norm.variance),
      });
    }));
    if (this.#standardization) layers[0] = foldStandardization(layers[0]!, this.#standardization.values);
    return layers;
  }

  /**
   * Writes weights, as {@linkcode weights} returns them, to the device. The model must be without standardization
   * and batch normalization.
   */
  load(weights: readonly LinearWeights[]): void {
    tf.tidy(() => {
      for (const [i, { weight, bias }] of this.#layers.entries()) {
        const layer = weights[i]!;
        weight.assign(tf.tensor2d(layer.weight, [layer.outFeatures, layer.inFeatures]));
        bias!.assign(tf.tensor1d(layer.bias));
      }
    });
  }

  /** Frees the device's memory. */
  dispose(): void {
    this.#standardization?.mean.dispose();
    this.#standardization?.scale.dispose();
    for (const { weight, bias, norm } of this.#layers) {
      weight.dispose();
      bias?.dispose();
      norm?.dispose();
    }
  }

  /** The model as PyTorch prints it. */
  toString(): string {
    const modules = this.#layers.flatMap(({ weight: { shape: [outFeatures, inFeatures] }, norm }) => [
      `Linear(in_features=${inFeatures}, out_features=${outFeatures}, bias=${norm ? "False" : "True"})`,
      ...(norm ? [`BatchNorm1d(${outFeatures})`] : []),
      "ReLU()",
    ]);
    return [
      "NeuralNetwork(",
      "  (flatten): Flatten(start_dim=1, end_dim=-1)",
      "  (linear_relu_stack): Sequential(",
      ...modules.slice(0, -1).map((module, i) => `    (${i}): ${module}`),
      "  )",
      ")",
    ].join("\n");
  }

  #forward(
    images: tf.Tensor2D,
    masks: readonly tf.Tensor2D[],
    normalize: (norm: BatchNorm, x: tf.Tensor2D) => tf.Tensor2D,
  ): tf.Tensor2D {
    let x = images;
    if (this.#standardization) {
      const { mean, scale } = this.#standardization;
      x = tf.mul(tf.sub(x, mean), scale);
    }
    for (const [i, { weight, bias, norm }] of this.#layers.entries()) {
      const relu = i < this.#layers.length - 1 && !norm;
      if (usesGemm()) x = linear(x, weight, bias, { relu, constant: i === 0 });
      else {
        x = tf.matMul(x, weight, false, true);
        if (bias) x = tf.add(x, bias);
        if (relu) x = tf.relu(x);
      }
      if (norm) x = normalize(norm, x);
      const mask = masks[i];
      if (mask) x = tf.mul(x, mask);
    }
    return x;
  }

  /** Variables by their names, as the modules of PyTorch's `Sequential`: a Linear, then maybe a BatchNorm1d, and a ReLU. */
  #named(
    variablesOf: (layer: Layer) => [linear: Record<string, tf.Variable>, norm: Record<string, tf.Variable>],
  ): Map<string, tf.Variable> {
    const named = new Map<string, tf.Variable>();
    let module = 0;
    for (const layer of this.#layers) {
      for (const [i, variables] of variablesOf(layer).entries()) {
        for (const [name, variable] of Object.entries(variables)) {
          named.set(`linear_relu_stack.${module + i}.${name}`, variable);
        }
      }
      module += layer.norm ? 3 : 2;
    }
    return named;
  }
}

/** A copy, as a backend may return a view of memory that it reuses. */
async function read(variable: tf.Variable): Promise<Float32Array<ArrayBuffer>> {
  return new Float32Array(await variable.data());
}
