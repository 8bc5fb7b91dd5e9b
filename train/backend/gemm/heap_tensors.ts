/**
 * Tensors in the memory of the WASM backend, for operations that write to it.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import type { HeapMath } from "./heap_math.ts";
import { heapMath } from "./registry.ts";

/**
 * Makes tensors whose numbers are written by `write`.
 *
 * @param shapes of the new tensors
 * @param write gets the addresses of the new tensors in `to`; `address` returns that of another one
 */
export function onHeap(
  shapes: readonly number[][],
  write: (math: HeapMath, address: (tensor: tf.Tensor) => number, to: number[]) => void,
): tf.Tensor[] {
  const wasm = tf.backend() as unknown as BackendWasm;
  const address = ({ dataId }: tf.TensorInfo): number => wasm.dataIdMap.get(dataId).memoryOffset;
  const outs = shapes.map((shape) => wasm.makeOutput(shape, "float32"));
  write(heapMath(), address, outs.map(address));
  return outs.map((out) => tf.engine().makeTensorFromTensorInfo(out));
}
