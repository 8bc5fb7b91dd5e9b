/**
 * The network: Flatten, then alternating Linear and ReLU layers, ending with a Linear layer that has one logit per
 * class. `784-512-512-10` is the network of PyTorch's quickstart.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import type { Dataset } from "../dataset/mod.ts";
import { inputSize } from "./batches.ts";
import type { Recipe } from "./recipe.ts";
import { linear } from "../backend/gemm/linear.ts";
import { usesGemm } from "../backend/gemm/registry.ts";
import { foldStandardization, measureInputs, type Standardization } from "./standardization.ts";
import { splitTraining } from "./split.ts";
import { TorchRandom } from "./torch_random.ts";

/** A fully connected layer, `y = xAᵀ + b`. */
interface Linear {
  /** A, `[out, in]`: PyTorch's layout, not TensorFlow's. */
  weight: tf.Variable<tf.Rank.R2>;
  /** `[out]` */
  bias: tf.Variable<tf.Rank.R1>;
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
  return new Mlp(mlpSizes(dataset, recipe), seed, standardization);
}

/** A multilayer perceptron (MLP) whose weights are on the TensorFlow.js backend. */
export class Mlp {
  /** Features from input to output, as `[784, 512, 512, 10]`. */
  readonly sizes: readonly number[];
  readonly #layers: Linear[];
  readonly #standardization: { mean: tf.Tensor1D; scale: tf.Tensor1D; values: Standardization } | undefined;

  /**
   * Initializes as PyTorch's Linear does by default: weights and biases uniform in ±1/√in, and the same numbers as
   * after `torch.manual_seed(seed)` on a CPU.
   *
   * @param sizes features from input to output, as `[784, 512, 512, 10]`
   * @param standardization is applied to the input before the first layer; none by default
   */
  constructor(sizes: readonly number[], seed: number, standardization?: Standardization) {
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
      return {
        weight: tf.tidy(() =>
          tf.variable(tf.tensor2d(draw(outFeatures * inFeatures), [outFeatures, inFeatures]))
        ),
        bias: tf.tidy(() => tf.variable(tf.tensor1d(draw(outFeatures)))),
      };
    });
  }

  /** Number of weights and biases. */
  get parameterCount(): number {
    return this.#layers.reduce((sum, { weight, bias }) => sum + weight.size + bias.size, 0);
  }

  /**
   * Weights and biases by their names in PyTorch's `state_dict`.
   *
   * @internal
   */
  get variables(): Map<string, tf.Variable> {
    return new Map<string, tf.Variable>(this.#layers.flatMap(({ weight, bias }, i) => [
      [`linear_relu_stack.${2 * i}.weight`, weight] as const,
      [`linear_relu_stack.${2 * i}.bias`, bias] as const,
    ]));
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
   * @param masks dropout masks: one `[N, features]` tensor per hidden layer, which its output is multiplied by
   * @returns logits, `[N, out]`
   *
   * @internal
   */
  logits(images: tf.Tensor2D, masks: tf.Tensor2D[] = []): tf.Tensor2D {
    let x = images;
    if (this.#standardization) {
      const { mean, scale } = this.#standardization;
      x = tf.mul(tf.sub(x, mean), scale);
    }
    for (const [i, { weight, bias }] of this.#layers.entries()) {
      const relu = i < this.#layers.length - 1;
      if (usesGemm()) x = linear(x, weight, bias, { relu, constant: i === 0 });
      else {
        x = tf.add(tf.matMul(x, weight, false, true), bias);
        if (relu) x = tf.relu(x);
      }
      const mask = masks[i];
      if (mask) x = tf.mul(x, mask);
    }
    return x;
  }

  /**
   * Reads the weights from the device, for inputs as they are: the standardization is folded into the first layer.
   */
  async weights(): Promise<LinearWeights[]> {
    const layers = await Promise.all(this.#layers.map(async ({ weight, bias }) => {
      const [outFeatures, inFeatures] = weight.shape;
      const [a, b] = await Promise.all([weight.data(), bias.data()]);
      // Copies, as a backend may return a view of memory that it reuses.
      return { inFeatures, outFeatures, weight: new Float32Array(a), bias: new Float32Array(b) };
    }));
    if (this.#standardization) layers[0] = foldStandardization(layers[0]!, this.#standardization.values);
    return layers;
  }

  /** Writes weights, as {@linkcode weights} of a model without standardization returns them, to the device. */
  load(weights: readonly LinearWeights[]): void {
    tf.tidy(() => {
      for (const [i, { weight, bias }] of this.#layers.entries()) {
        const layer = weights[i]!;
        weight.assign(tf.tensor2d(layer.weight, [layer.outFeatures, layer.inFeatures]));
        bias.assign(tf.tensor1d(layer.bias));
      }
    });
  }

  /** Frees the device's memory. */
  dispose(): void {
    this.#standardization?.mean.dispose();
    this.#standardization?.scale.dispose();
    for (const { weight, bias } of this.#layers) {
      weight.dispose();
      bias.dispose();
    }
  }

  /** The model as PyTorch prints it. */
  toString(): string {
    const lines = this.#layers.flatMap(({ weight: { shape: [outFeatures, inFeatures] } }, i) => [
      `    (${2 * i}): Linear(in_features=${inFeatures}, out_features=${outFeatures}, bias=True)`,
      `    (${2 * i + 1}): ReLU()`,
    ]);
    return [
      "NeuralNetwork(",
      "  (flatten): Flatten(start_dim=1, end_dim=-1)",
      "  (linear_relu_stack): Sequential(",
      ...lines.slice(0, -1),
      "  )",
      ")",
    ].join("\n");
  }
}
