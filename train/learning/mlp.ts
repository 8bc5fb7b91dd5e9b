/**
 * The network: Flatten, then Linear and ReLU in turn, ending in a Linear layer that gives one logit per
 * class. `784-512-512-10` is the one of PyTorch's quickstart.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { TorchRandom } from "./torch_random.ts";

/** A fully connected layer, `y = xAᵀ + b`. */
interface Linear {
  /** A, `[out, in]`: PyTorch's layout, not TensorFlow's. */
  weight: tf.Variable<tf.Rank.R2>;
  /** `[out]` */
  bias: tf.Variable<tf.Rank.R1>;
}

/** One layer's numbers, in PyTorch's layout: `y = xAᵀ + b`. */
export interface LinearWeights {
  inFeatures: number;
  outFeatures: number;
  /** A, `[out, in]`, row-major. */
  weight: Float32Array<ArrayBuffer>;
  /** b, `[out]`. */
  bias: Float32Array<ArrayBuffer>;
}

/** A multilayer perceptron whose numbers live on the TensorFlow.js backend. */
export class Mlp {
  readonly sizes: readonly number[];
  readonly #layers: Linear[];

  /**
   * Starts from PyTorch's default initialisation of Linear, weights and biases uniform in ±1/√in, with the
   * very numbers of `torch.manual_seed(seed)`.
   *
   * @param sizes features from input to output, as `[784, 512, 512, 10]`
   */
  constructor(sizes: readonly number[], seed: number) {
    this.sizes = sizes;
    const random = new TorchRandom(seed);
    this.#layers = sizes.slice(1).map((outFeatures, i) => {
      const inFeatures = sizes[i]!;
      const bound = 1 / Math.sqrt(inFeatures);
      const draw = (count: number): Float32Array =>
        Float32Array.from({ length: count }, () => random.uniform(-bound, bound));
      // Tidied, as a variable outlives that, but the tensor that it begins with should not.
      return {
        weight: tf.tidy(() =>
          tf.variable(tf.tensor2d(draw(outFeatures * inFeatures), [outFeatures, inFeatures]))
        ),
        bias: tf.tidy(() => tf.variable(tf.tensor1d(draw(outFeatures)))),
      };
    });
  }

  /** Every weight and bias, counted. */
  get parameterCount(): number {
    return this.#layers.reduce((sum, { weight, bias }) => sum + weight.size + bias.size, 0);
  }

  /** Every weight and bias, by the names of PyTorch's `state_dict`. */
  get variables(): Map<string, tf.Variable> {
    return new Map<string, tf.Variable>(this.#layers.flatMap(({ weight, bias }, i) => [
      [`linear_relu_stack.${2 * i}.weight`, weight] as const,
      [`linear_relu_stack.${2 * i}.bias`, bias] as const,
    ]));
  }

  /** The weight matrices, without the biases: what weight decay applies to. */
  get matrices(): tf.Variable<tf.Rank.R2>[] {
    return this.#layers.map(({ weight }) => weight);
  }

  /**
   * The forward pass.
   *
   * @param images `[N, in]`, 0..1
   * @param masks for dropout: one `[N, features]` tensor per hidden layer, multiplied onto its output
   * @returns logits, `[N, out]`
   */
  logits(images: tf.Tensor2D, masks: tf.Tensor2D[] = []): tf.Tensor2D {
    let x = images;
    for (const [i, { weight, bias }] of this.#layers.entries()) {
      x = tf.add(tf.matMul(x, weight, false, true), bias);
      if (i < this.#layers.length - 1) x = tf.relu(x);
      const mask = masks[i];
      if (mask) x = tf.mul(x, mask);
    }
    return x;
  }

  /** Reads the weights from the device. */
  async weights(): Promise<LinearWeights[]> {
    return await Promise.all(this.#layers.map(async ({ weight, bias }) => {
      const [outFeatures, inFeatures] = weight.shape;
      const [a, b] = await Promise.all([weight.data(), bias.data()]);
      // Copies, as a backend may hand out a view of memory that it will write to again.
      return { inFeatures, outFeatures, weight: new Float32Array(a), bias: new Float32Array(b) };
    }));
  }

  /** Puts weights that {@linkcode weights} gave back onto the device. */
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
