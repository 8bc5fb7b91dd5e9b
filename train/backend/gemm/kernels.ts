/**
 * TensorFlow.js's `BatchMatMul` and `_FusedMatMul` on our own matrix multiplication, which works in place on
 * the memory of the WASM backend; `Sum` over rows without its transposition; and `Identity` and `Cast` without their
 * copies.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import type { HeapMath } from "./heap_math.ts";

/** The names of the kernels that {@linkcode kernels} makes. */
export const KERNELS = ["BatchMatMul", "_FusedMatMul", "Sum", "Cast", "Identity"] as const;

/** The activations that are kernels of their own, by their names in `tf.fused.matMul`. */
const ACTIVATIONS: Record<string, string> = {
  elu: "Elu",
  leakyrelu: "LeakyRelu",
  prelu: "Prelu",
  relu6: "Relu6",
  sigmoid: "Sigmoid",
};

/**
 * Makes the kernel functions.
 *
 * @param mathOf the arithmetic on a backend's memory
 * @param stock TensorFlow.js's own, for all other cases
 */
export function kernels(
  mathOf: (backend: BackendWasm) => HeapMath,
  stock: readonly tf.KernelConfig[],
): Record<typeof KERNELS[number], tf.KernelFunc> {
  const [stockSum, stockCast] = ["Sum", "Cast"].map((name) =>
    stock.find(({ kernelName }) => kernelName === name)!.kernelFunc
  ) as [tf.KernelFunc, tf.KernelFunc];
  const addressIn = (wasm: BackendWasm, { dataId }: tf.TensorInfo): number =>
    wasm.dataIdMap.get(dataId).memoryOffset;
  /** As the CPU backend does it: TensorFlow.js never writes to a tensor's memory, and counts who shares it. */
  const share = (backend: unknown, { dataId, shape, dtype }: tf.TensorInfo): tf.TensorInfo => {
    (backend as BackendWasm).incRef(dataId);
    return { dataId, shape, dtype };
  };

  /** `floor` is the least value of the result: 0 makes a ReLU. */
  const multiply = (
    { inputs, backend, attrs }: Parameters<tf.KernelFunc>[0],
    bias: tf.TensorInfo | undefined,
    floor: number,
  ): tf.TensorInfo => {
    const wasm = backend as BackendWasm;
    const a = inputs["a"]!, b = inputs["b"]!;
    const { transposeA, transposeB } = attrs as { transposeA: boolean; transposeB: boolean };
    for (const { dtype } of bias ? [a, b, bias] : [a, b]) {
      if (dtype !== "float32") {
        throw new TypeError(`Cannot multiply matrices as they must be float32: current type is ${dtype}`);
      }
    }
    const m = a.shape.at(transposeA ? -1 : -2)!, k = a.shape.at(transposeA ? -2 : -1)!;
    const n = b.shape.at(transposeB ? -2 : -1)!, depth = b.shape.at(transposeB ? -1 : -2)!;
    if (k !== depth) {
      throw new TypeError(
        `Cannot multiply matrices as their inner sizes must be equal: current shapes are [${a.shape}]` +
          `${transposeA ? " transposed" : ""} and [${b.shape}]${transposeB ? " transposed" : ""}`,
      );
    }
    const math = mathOf(wasm);
    const outer = tf.broadcast_util.assertAndGetBroadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
    const out = wasm.makeOutput([...outer, m, n], "float32");
    const [addressA, addressB, addressC] = [addressIn(wasm, a), addressIn(wasm, b), addressIn(wasm, out)];
    const addressBias = bias ? addressIn(wasm, bias) : 0;
    const stepsA = batchSteps(a.shape, outer), stepsB = batchSteps(b.shape, outer);
    const products = tf.util.sizeFromShape(outer);
    for (let i = 0; i < products; i++) {
      const a = addressA + 4 * m * k * offset(i, outer, stepsA);
      const b = addressB + 4 * k * n * offset(i, outer, stepsB);
      const c = addressC + 4 * m * n * i;
      math.multiply({ a, b, c, m, n, k, transposeA, transposeB }, addressBias, floor);
    }
    return out;
  };

  return {
    BatchMatMul: (params) => multiply(params, undefined, -Infinity),
    _FusedMatMul(params): tf.TensorInfo {
      const { inputs, backend, attrs } = params;
      const { activation, leakyreluAlpha } = attrs as { activation: string; leakyreluAlpha?: number };
      const { bias, preluActivationWeights: alpha } = inputs;
      const columns = inputs["b"]!.shape.at(attrs!["transposeB"] ? -2 : -1)!;
      // A bias that is not a row is broadcast by TensorFlow.js's own `Add`.
      const row = bias && bias.shape.at(-1) === columns && tf.util.sizeFromShape(bias.shape) === columns
        ? bias
        : undefined;
      const relu = activation === "relu" && row === bias;
      let out = multiply(params, row, relu ? 0 : -Infinity);
      const then = (kernelName: string, inputs: tf.NamedTensorInfoMap, attrs: tf.NamedAttrMap = {}): void => {
        const { kernelFunc } = tf.getKernel(kernelName, "wasm");
        const next = kernelFunc({ inputs, backend, attrs }) as tf.TensorInfo;
        (backend as BackendWasm).disposeData(out.dataId);
        out = next;
      };
      if (bias && row !== bias) then("Add", { a: out, b: bias });
      if (activation === "relu" && !relu) then("Relu", { x: out });
      else if (ACTIVATIONS[activation]) {
        const x = out;
        then(ACTIVATIONS[activation], activation === "prelu" ? { x, alpha: alpha! } : { x }, {
          alpha: leakyreluAlpha ?? 0,
        });
      } else if (activation !== "linear" && !relu) {
        throw new RangeError(
          `Cannot fuse "${activation}": accepted are linear, relu, ${Object.keys(ACTIVATIONS)}`,
        );
      }
      return out;
    },
    Sum(params): tf.TensorInfo {
      const { inputs, backend, attrs } = params;
      const x = inputs["x"]!, { axis, keepDims } = attrs as { axis: number | number[]; keepDims: boolean };
      const axes = tf.util.parseAxisParam(axis, x.shape);
      const leads = x.dtype === "float32" && axes.length > 0 && axes.length < x.shape.length &&
        axes.every((axis) => axis < axes.length);
      if (!leads) return stockSum(params) as tf.TensorInfo;
      const wasm = backend as BackendWasm;
      const kept = x.shape.slice(axes.length), summed = x.shape.slice(0, axes.length);
      const out = wasm.makeOutput(keepDims ? [...summed.map(() => 1), ...kept] : kept, "float32");
      const rows = tf.util.sizeFromShape(summed), columns = tf.util.sizeFromShape(kept);
      mathOf(wasm).sumRows(addressIn(wasm, x), addressIn(wasm, out), rows, columns);
      return out;
    },
    Cast(params): tf.TensorInfo {
      const x = params.inputs["x"]!;
      if (x.dtype !== params.attrs!["dtype"]) return stockCast(params) as tf.TensorInfo;
      return share(params.backend, x);
    },
    Identity: ({ inputs, backend }) => share(backend, inputs["x"]!),
  };
}

/** The stride of each batch dimension, in matrices; 0 if it is broadcast. */
function batchSteps(shape: number[], outer: number[]): number[] {
  const steps = outer.map(() => 0);
  let size = 1;
  for (let axis = 3; axis <= shape.length; axis++) {
    const length = shape.at(-axis)!;
    if (length > 1) steps[outer.length + 2 - axis] = size;
    size *= length;
  }
  return steps;
}

/** The index of an operand's matrix for the product number `index`. */
function offset(index: number, outer: number[], steps: number[]): number {
  let sum = 0;
  for (let axis = outer.length - 1; axis >= 0; axis--) {
    const length = outer[axis]!;
    sum += index % length * steps[axis]!;
    index = Math.floor(index / length);
  }
  return sum;
}
