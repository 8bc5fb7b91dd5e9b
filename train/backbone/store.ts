/**
 * Weight-only int8: large weights are stored as one byte each with one scale per output channel, and converted back
 * to float32 when the model is loaded. The file shrinks to a quarter, and inference stays in float32.
 *
 * @module
 */
import { type ModelProto, type NodeProto, TensorProto_DataType } from "onnx-buf";
import { constant, numbersOf, opsetOf } from "./network.ts";
import { node } from "./nodes.ts";

/** Smaller tensors stay in float32: the scales and the nodes would take more bytes than int8 saves. */
export const WORTH_STORING = 1024;

/** The operator set that added an axis to `DequantizeLinear`. */
const PER_AXIS_OPSET = 13;

/** Quantized weights. */
export interface Quantized {
  values: Int8Array<ArrayBuffer>;
  /** The value of one step of int8, per channel. */
  scales: Float32Array<ArrayBuffer>;
}

/**
 * Quantizes weights to int8, symmetrically and per channel: the largest absolute value of a channel becomes ±127.
 *
 * @param data row-major
 * @param axis of the channels
 */
export function quantize(data: Float32Array, dims: readonly number[], axis: number): Quantized {
  const channels = dims[axis]!;
  const inner = dims.slice(axis + 1).reduce((product, dim) => product * dim, 1);
  const channelOf = (i: number): number => Math.floor(i / inner) % channels;
  const scales = new Float32Array(channels);
  for (let i = 0; i < data.length; i++) {
    const channel = channelOf(i);
    scales[channel] = Math.max(scales[channel]!, Math.abs(data[i]!) / 127);
  }
  // The scale of a channel of zeros must not be zero.
  for (let channel = 0; channel < channels; channel++) scales[channel] ||= 1;
  const values = new Int8Array(data.length);
  for (let i = 0; i < data.length; i++) {
    values[i] = Math.max(-127, Math.min(127, Math.round(data[i]! / scales[channelOf(i)]!)));
  }
  return { values, scales };
}

/** Dequantizes weights, row-major. */
export function dequantize(
  { values, scales }: Quantized,
  dims: readonly number[],
  axis: number,
): Float32Array<ArrayBuffer> {
  const inner = dims.slice(axis + 1).reduce((product, dim) => product * dim, 1);
  return Float32Array.from(values, (value, i) => value * scales[Math.floor(i / inner) % dims[axis]!]!);
}

/**
 * Stores the large weights of a network as int8. Nodes with outputs of the same names convert them to float32.
 *
 * @param except names that begin with this stay as they are
 */
export function storeInt8(model: ModelProto, except?: string): void {
  const graph = model.graph!;
  const axes = new Map<string, number>();
  for (const node of graph.node) {
    const axis = weightAxis(node);
    if (axis !== undefined) axes.set(node.input[1]!, axis);
  }
  const perAxis = opsetOf(model) >= PER_AXIS_OPSET;
  const restoring: NodeProto[] = [];
  graph.initializer = graph.initializer.flatMap((tensor) => {
    const axis = axes.get(tensor.name);
    const dims = tensor.dims.map(Number);
    const size = dims.reduce((product, dim) => product * dim, 1);
    const exempt = except !== undefined && tensor.name.startsWith(except);
    if (
      axis === undefined || exempt || tensor.dataType !== TensorProto_DataType.FLOAT || size < WORTH_STORING
    ) return [tensor];
    const along = axis < 0 ? dims.length + axis : axis;
    const { values, scales } = quantize(numbersOf(tensor)!, dims, along);
    const stored = `${tensor.name}/int8`, scale = `${tensor.name}/scale`;
    if (perAxis) {
      const restore = node("DequantizeLinear", tensor.name, [stored, scale], { axis: along });
      restoring.push(restore);
      return [constant(stored, dims, values), constant(scale, [dims[along]!], scales)];
    }
    const cast = node("Cast", `${tensor.name}/float`, [stored], { to: TensorProto_DataType.FLOAT });
    restoring.push(cast, node("Mul", tensor.name, [`${tensor.name}/float`, scale]));
    const shape = dims.map((dim, i) => i === along ? dim : 1);
    return [constant(stored, dims, values), constant(scale, shape, scales)];
  });
  graph.node.unshift(...restoring);
}

/** The axis of the output channels of a node's weight (its second input); a negative axis counts from the end. */
function weightAxis({ opType, attribute }: NodeProto): number | undefined {
  switch (opType) {
    case "Conv":
      return 0;
    case "Gemm":
      return attribute.find(({ name }) => name === "transB")?.i === 1n ? 0 : 1;
    case "MatMul":
      return -1;
    default:
      return undefined;
  }
}
