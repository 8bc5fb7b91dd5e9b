/**
 * The features of images that the familiarity is computed from: outputs of the network's layers.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { linear } from "../backend/gemm/linear.ts";
import { usesGemm } from "../backend/gemm/registry.ts";
import type { LinearWeights } from "../learning/mlp.ts";

/** Rows, row-major. */
export interface Rows {
  values: Float32Array;
  /** Numbers in a row. */
  size: number;
}

/** Images per forward pass. */
const BATCH_SIZE = 1000;

/**
 * The outputs of hidden layers, after their ReLU, joined in the order of the layers.
 *
 * @param layers of the whole network
 * @param wanted 0 is the input of the network, `i` the output of its `i`-th layer
 * @param input `[N, in]`
 * @returns `[N, D]`
 */
export async function layerOutputs(
  layers: readonly LinearWeights[],
  wanted: readonly number[],
  input: Rows,
): Promise<Rows> {
  if (wanted.join() === "0") return input;
  const size = wanted.reduce((sum, layer) => sum + widthOf(layers, layer), 0);
  const count = input.values.length / input.size;
  const values = new Float32Array(count * size);
  const weights = layers.slice(0, Math.max(...wanted)).map(({ weight, bias, outFeatures, inFeatures }) => ({
    weight: tf.tensor2d(weight, [outFeatures, inFeatures]),
    bias: tf.tensor1d(bias),
  }));
  try {
    for (let start = 0; start < count; start += BATCH_SIZE) {
      const end = Math.min(start + BATCH_SIZE, count);
      const joined = tf.tidy(() => {
        let x = tf.tensor2d(input.values.slice(start * input.size, end * input.size), [
          end - start,
          input.size,
        ]);
        const outputs = [x];
        for (const { weight, bias } of weights) outputs.push(x = activate(x, weight, bias));
        return tf.concat(wanted.map((layer) => outputs[layer]!), 1);
      });
      values.set(await joined.data(), start * size);
      joined.dispose();
    }
  } finally {
    tf.dispose(weights);
  }
  return { values, size };
}

function activate(x: tf.Tensor2D, weight: tf.Tensor2D, bias: tf.Tensor1D): tf.Tensor2D {
  if (usesGemm()) return linear(x, weight, bias, { relu: true, constant: true });
  return tf.relu(tf.add(tf.matMul(x, weight, false, true), bias));
}

/** The number of outputs of a layer; 0 is the input of the network. */
export function widthOf(layers: readonly LinearWeights[], layer: number): number {
  return layer === 0 ? layers[0]!.inFeatures : layers[layer - 1]!.outFeatures;
}

/**
 * Pixels as the input of a network.
 *
 * @param images `[N, C, H, W]`, 0..255
 * @param imageSize C·H·W
 * @param mirroredWidth W, to mirror the images left to right; absent to leave them as they are
 * @returns 0..1
 */
export function pixelRows(images: Uint8Array, imageSize: number, mirroredWidth?: number): Rows {
  const values = new Float32Array(images.length);
  for (let i = 0; i < images.length; i++) {
    const from = mirroredWidth === undefined ? i : i + mirroredWidth - 1 - 2 * (i % mirroredWidth);
    values[i] = images[from]! / 255;
  }
  return { values, size: imageSize };
}
