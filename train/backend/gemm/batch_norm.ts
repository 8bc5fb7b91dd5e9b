/**
 * Batch normalization with its gradient as one operation of two passes each; TensorFlow.js makes a dozen.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { onHeap } from "./heap_tensors.ts";

/** The floor of a ReLU. */
const RELU = 0;

/**
 * The ReLU of a batch that is normalized with its own mean and variance, on the WASM backend with our kernels:
 * `max(0, γ·(x − mean)/√(variance + ε) + β)`.
 *
 * @param x `[N, features]`
 * @param gamma γ, `[features]`
 * @param beta β, `[features]`
 * @param epsilon ε
 * @returns `[N, features]`
 */
export function batchNormRelu(
  x: tf.Tensor2D,
  gamma: tf.Tensor1D,
  beta: tf.Tensor1D,
  epsilon: number,
): tf.Tensor2D {
  const [rows, columns] = x.shape;
  const layer = tf.customGrad((...args) => {
    const save = args.pop() as unknown as tf.GradSaveFunc;
    const [y, mean, inverse] = onHeap([[rows, columns], [columns], [columns]], (math, address, to) => {
      const [y, mean, inverse] = to as [number, number, number];
      math.batchNorm(
        ...[address(x), address(gamma), address(beta), y, mean, inverse] as const,
        ...[rows, columns, epsilon, RELU] as const,
      );
    }) as [tf.Tensor2D, tf.Tensor1D, tf.Tensor1D];
    save([x, gamma, y, mean, inverse]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor[] =>
      onHeap([[rows, columns], [columns], [columns]], (math, address, to) => {
        const [x, gamma, y, mean, inverse] = saved.map(address) as [number, number, number, number, number];
        const [dx, dGamma, dBeta] = to as [number, number, number];
        math.batchNormGradient(
          ...[address(dy), y, x, gamma, mean, inverse] as const,
          ...[dx, dGamma, dBeta, rows, columns, RELU] as const,
        );
      });
    return { value: y, gradFunc };
  });
  return layer(x, gamma, beta) as tf.Tensor2D;
}
