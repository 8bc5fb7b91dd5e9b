/**
 * A fully connected layer with its gradient as one operation: TensorFlow.js records and runs each of the product,
 * the bias and the ReLU by itself.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import { heapMath } from "./registry.ts";

/**
 * `y = xAᵀ + b`, or the ReLU of it, on the WASM backend with our kernels. The numbers are those of `tf.matMul`,
 * `tf.add` and `tf.relu`.
 *
 * @param x `[N, in]`
 * @param weight A, `[out, in]`
 * @param bias b, `[out]`
 * @param constant whether nobody needs the gradient of `x`
 * @returns `[N, out]`
 */
export function linear(
  x: tf.Tensor2D,
  weight: tf.Tensor2D,
  bias: tf.Tensor1D,
  { relu, constant }: { relu: boolean; constant: boolean },
): tf.Tensor2D {
  const layer = tf.customGrad((...args) => {
    const save = args.pop() as unknown as tf.GradSaveFunc;
    const value = forward(x, weight, bias, relu);
    save([x, weight, value]);
    const gradFunc = (dy: tf.Tensor2D, saved: tf.Tensor[]): tf.Tensor[] => {
      const [x, weight, y] = saved as [tf.Tensor2D, tf.Tensor2D, tf.Tensor2D];
      const dz = relu ? reluGradient(dy, y) : dy;
      const gradients: tf.Tensor[] = [tf.matMul(dz, x, true, false), tf.sum(dz, 0)];
      return constant ? gradients : [tf.matMul(dz, weight), ...gradients];
    };
    return { value, gradFunc: gradFunc as (dy: tf.Tensor, saved: tf.Tensor[]) => tf.Tensor[] };
  });
  return (constant ? layer(weight, bias) : layer(x, weight, bias)) as tf.Tensor2D;
}

function forward(x: tf.Tensor2D, weight: tf.Tensor2D, bias: tf.Tensor1D, relu: boolean): tf.Tensor2D {
  const [m, k] = x.shape, [n] = weight.shape;
  return onHeap([m, n], (math, address, c) => {
    const a = address(x), b = address(weight);
    math.multiply({ a, b, c, m, n, k, transposeA: false, transposeB: true });
    math.activate(c, address(bias), m, n, relu ? 0 : -Infinity);
  });
}

function reluGradient(dy: tf.Tensor2D, y: tf.Tensor2D): tf.Tensor2D {
  return onHeap(y.shape, (math, address, to) => math.reluGradient(address(dy), address(y), to, y.size));
}

/** Makes a tensor whose numbers are written by `write`. */
function onHeap(
  shape: [number, number],
  write: (math: ReturnType<typeof heapMath>, address: (tensor: tf.Tensor) => number, to: number) => void,
): tf.Tensor2D {
  const wasm = tf.backend() as unknown as BackendWasm;
  const address = ({ dataId }: tf.TensorInfo): number => wasm.dataIdMap.get(dataId).memoryOffset;
  const out = wasm.makeOutput(shape, "float32");
  write(heapMath(), address, address(out));
  return tf.engine().makeTensorFromTensorInfo(out) as tf.Tensor2D;
}
