/**
 * Mends the slow matrix multiplication of TensorFlow.js's WASM backend.
 *
 * Its `BatchMatMul` hands plain products to XNNPACK, but any product with `transposeA` or `transposeB`
 * falls to a scalar loop, and every gradient of a product is such a one. XNNPACK in turn first packs its
 * second operand, slowly: for a batch of 64 and a layer of 512 features the packing of the weights takes
 * longer than the product.
 *
 * So here operands are transposed first by a kernel of their own, and of the two ways to reach a product,
 * `AB` and `(BᵀAᵀ)ᵀ`, the one is taken that moves less: the second packs A instead of B. Training gets
 * about eight times faster.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";

/** How much longer XNNPACK packs a number than `Transpose` moves it, measured for 512×512. */
const PACK_COST = 2.5;

/** TensorFlow.js's own kernel, while the mended one is in its place. */
let stock: tf.KernelConfig | undefined;

/** Replaces the kernel; harmless when called again. */
export function mendMatMul(): void {
  if (stock) return;
  stock = tf.getKernel("BatchMatMul", "wasm");
  const matMul = stock.kernelFunc;
  const transposeKernel = tf.getKernel("Transpose", "wasm").kernelFunc;

  tf.unregisterKernel("BatchMatMul", "wasm");
  tf.registerKernel({
    kernelName: "BatchMatMul",
    backendName: "wasm",
    kernelFunc: ({ inputs, backend, attrs }) => {
      const a = inputs["a"]!, b = inputs["b"]!;
      const { transposeA, transposeB } = attrs as { transposeA: boolean; transposeB: boolean };
      const free = (x: tf.TensorInfo): unknown =>
        (backend as { disposeData(id: object): unknown }).disposeData(x.dataId);
      const transpose = (x: tf.TensorInfo): tf.TensorInfo => {
        const perm = x.shape.map((_, axis) => axis);
        perm.push(perm.pop()!, perm.pop()!);
        return transposeKernel({ inputs: { x }, backend, attrs: { perm } }) as tf.TensorInfo;
      };
      /** The plain product of two matrices, each taken as it lies or transposed. */
      const product = (x: tf.TensorInfo, turnX: boolean, y: tf.TensorInfo, turnY: boolean): tf.TensorInfo => {
        const left = turnX ? transpose(x) : x, right = turnY ? transpose(y) : y;
        const result = matMul({
          inputs: { a: left, b: right },
          backend,
          attrs: { transposeA: false, transposeB: false },
        }) as tf.TensorInfo;
        if (turnX) free(left);
        if (turnY) free(right);
        return result;
      };

      const sizeA = tf.util.sizeFromShape(a.shape), sizeB = tf.util.sizeFromShape(b.shape);
      const rows = a.shape.at(transposeA ? -1 : -2)!, columns = b.shape.at(transposeB ? -2 : -1)!;
      const batch = a.shape.length === b.shape.length
        ? tf.util.sizeFromShape(a.shape.slice(0, -2))
        : Infinity; // broadcast: stay on the straight way
      const straight = (transposeA ? sizeA : 0) + (transposeB ? sizeB : 0) + sizeB * PACK_COST;
      const turned = (transposeA ? 0 : sizeA) + (transposeB ? 0 : sizeB) + sizeA * PACK_COST +
        batch * rows * columns;
      if (straight <= turned) return product(a, transposeA, b, transposeB);
      const result = product(b, !transposeB, a, !transposeA);
      const upright = transpose(result);
      free(result);
      return upright;
    },
  });
}

/** Puts TensorFlow.js's own kernel back, to measure it. */
export function unmendMatMul(): void {
  if (!stock) return;
  tf.unregisterKernel("BatchMatMul", "wasm");
  tf.registerKernel(stock);
  stock = undefined;
}
