/**
 * A fully connected layer with its gradient as one operation: TensorFlow.js records and runs the product, the bias
 * and the ReLU separately.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { onHeap } from "./heap_tensors.ts";

/**
 * `y = xAᵀ + b`, or the ReLU of it, on the WASM backend with our kernels. The numbers are those of `tf.matMul`,
 * `tf.add` and `tf.relu`.
 *
 * @param x `[N, in]`
 * @param weight A, `[out, in]`
 * @param bias b, `[out]`; zeros if absent
 * @param constant whether the gradient of `x` is not needed
 * @returns `[N, out]`
 */
export function linear(
  x: tf.Tensor2D,
  weight: tf.Tensor2D,
  bias: tf.Tensor1D | undefined,
  { relu, constant }: { relu: boolean; constant: boolean },
): tf.Tensor2D {
  const layer = tf.customGrad((...args) => {
    const save = args.pop() as unknown as tf.GradSaveFunc;
    const value = forward(x, weight, bias, relu);
    save([x, weight, value]);
    const gradFunc = (dy: tf.Tensor2D, saved: tf.Tensor[]): tf.Tensor[] => {
      const [x, weight, y] = saved as [tf.Tensor2D, tf.Tensor2D, tf.Tensor2D];
      const dz = relu ? reluGradient(dy, y) : dy;
      return [
        ...(constant ? [] : [tf.matMul(dz, weight)]),
        tf.matMul(dz, x, true, false),
        ...(bias ? [tf.sum(dz, 0)] : []),
      ];
    };
    return { value, gradFunc: gradFunc as (dy: tf.Tensor, saved: tf.Tensor[]) => tf.Tensor[] };
  });
  return layer(...(constant ? [] : [x]), weight, ...(bias ? [bias] : [])) as tf.Tensor2D;
}

function forward(
  x: tf.Tensor2D,
  weight: tf.Tensor2D,
  bias: tf.Tensor1D | undefined,
  relu: boolean,
): tf.Tensor2D {
  const [m, k] = x.shape, [n] = weight.shape;
  const [y] = onHeap([[m, n]], (math, address, [c]) => {
    const a = address(x), b = address(weight);
    math.multiply({ a, b, c: c!, m, n, k, transposeA: false, transposeB: true });
    if (bias || relu) math.activate(c!, bias ? address(bias) : 0, m, n, relu ? 0 : -Infinity);
  });
  return y as tf.Tensor2D;
}

function reluGradient(dy: tf.Tensor2D, y: tf.Tensor2D): tf.Tensor2D {
  const [dz] = onHeap([y.shape], (math, address, [to]) => {
    math.reluGradient(address(dy), address(y), to!, y.size);
  });
  return dz as tf.Tensor2D;
}
