/**
 * Rewrites of a network that do not change its results: float32 throughout, a free batch dimension, names that cannot
 * collide with those of this project, and no unused nodes.
 *
 * @module
 */
import {
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type TensorProto,
  TensorProto_DataType,
  type ValueInfoProto,
} from "onnx-buf";
import { InputError } from "../../shared/errors.ts";
import { constant, forEachGraph, inputsOf, numbersOf, wholeNumbersOf } from "./network.ts";

/** Turns every float16 into float32: weights, constants, casts, inputs and outputs. */
export function widenFloat16({ graph }: ModelProto): void {
  forEachGraph(graph!, (graph) => {
    for (const tensor of graph.initializer) widen(tensor);
    for (const value of [...graph.input, ...graph.output, ...graph.valueInfo]) {
      const type = value.type?.value;
      if (type?.case === "tensorType" && type.value.elemType === TensorProto_DataType.FLOAT16) {
        type.value.elemType = TensorProto_DataType.FLOAT;
      }
    }
    for (const node of graph.node) {
      for (const attribute of node.attribute) {
        if (attribute.t) widen(attribute.t);
        const isType = node.opType === "Cast" && attribute.name === "to" || attribute.name === "dtype";
        if (isType && attribute.i === BigInt(TensorProto_DataType.FLOAT16)) {
          attribute.i = BigInt(TensorProto_DataType.FLOAT);
        }
      }
    }
  });
}

function widen(tensor: TensorProto): void {
  if (tensor.dataType !== TensorProto_DataType.FLOAT16) return;
  const { rawData } = constant(tensor.name, [], numbersOf(tensor)!);
  tensor.dataType = TensorProto_DataType.FLOAT;
  tensor.rawData = rawData;
  tensor.int32Data = [];
}

/** The input of a network. */
export interface NetworkInput {
  name: string;
  /** Pixels; undefined if the network accepts any size. */
  height: number | undefined;
  width: number | undefined;
}

/**
 * The one input of an image network.
 *
 * @throws {InputError} if it takes anything other than one batch of RGB images `[N, 3, H, W]`
 */
export function imageInput({ graph }: ModelProto, name: string): NetworkInput {
  // Before IR version 4, the constants were inputs too.
  const constants = new Set(graph!.initializer.map(({ name }) => name));
  const inputs = graph!.input.filter(({ name }) => !constants.has(name));
  const [input] = inputs;
  const shape = shapeOf(input);
  if (inputs.length !== 1 || shape?.length !== 4 || typeof shape[1] === "number" && shape[1] !== 3) {
    const found = inputs.map((input) => `"${input.name}" [${shapeOf(input)?.join(", ") ?? "?"}]`).join(", ");
    throw new InputError(
      "invalid-shape",
      `Cannot use backbone "${name}" as it must take one batch of images [N, 3, H, W]: its inputs are ` +
        (found || "none"),
      { ...(shape?.[3] === 3 && { hint: "Export it with channels first (NCHW)" }) },
    );
  }
  const [height, width] = [shape[2], shape[3]].map((side) =>
    typeof side === "number" && side > 0 ? side : undefined
  );
  return { name: input!.name, height, width };
}

function shapeOf(value: ValueInfoProto | undefined): (number | string)[] | undefined {
  const type = value?.type?.value;
  if (type?.case !== "tensorType") return undefined;
  return type.value.shape?.dim.map(({ value }) =>
    value.case === "dimValue" ? Number(value.value) : value.value ?? "?"
  );
}

/**
 * Makes the batch dimension free. A network that was exported for a fixed batch size has that size in its `Reshape`
 * constants too; there it becomes 0, "as in the input". Shapes that were inferred for the fixed size are removed.
 *
 * @param batch the fixed size
 */
export function freeBatch({ graph }: ModelProto, batch: number): void {
  const shapes = new Map<string, TensorProto>();
  for (const tensor of graph!.initializer) shapes.set(tensor.name, tensor);
  for (const node of graph!.node) {
    const value = node.opType === "Constant"
      ? node.attribute.find(({ name }) => name === "value")?.t
      : undefined;
    if (value) shapes.set(node.output[0]!, value);
  }
  for (const node of graph!.node) {
    if (node.opType !== "Reshape") continue;
    const shape = shapes.get(node.input[1]!);
    if (!shape || shape.dataType !== TensorProto_DataType.INT64) continue;
    const [first, ...rest] = wholeNumbersOf(shape);
    if (first !== BigInt(batch)) continue;
    shape.rawData = constant("", [], BigInt64Array.from([0n, ...rest])).rawData;
    shape.int64Data = [];
  }
}

/** The fixed batch size; undefined if it is free. */
export function fixedBatch({ graph }: ModelProto, input: string): number | undefined {
  const [batch] = shapeOf(graph!.input.find(({ name }) => name === input)) ?? [];
  return typeof batch === "number" && batch > 0 ? batch : undefined;
}

/** Renames every value and node, so that no name collides with those of this project. */
export function renameAll({ graph }: ModelProto, rename: (name: string) => string): void {
  const renamed = (name: string): string => name === "" ? "" : rename(name);
  forEachGraph(graph!, (graph) => {
    for (const node of graph.node) {
      node.name = renamed(node.name);
      node.input = node.input.map(renamed);
      node.output = node.output.map(renamed);
    }
    for (const tensor of [...graph.initializer, ...graph.input, ...graph.output, ...graph.valueInfo]) {
      tensor.name = renamed(tensor.name);
    }
  });
}

/** Removes the nodes and constants that no output depends on. */
export function prune(graph: GraphProto, outputs: readonly string[]): void {
  const byOutput = new Map<string, NodeProto>();
  for (const node of graph.node) for (const output of node.output) byOutput.set(output, node);
  const needed = new Set<string>(), kept = new Set<NodeProto>();
  const open = [...outputs];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (needed.has(name)) continue;
    needed.add(name);
    const node = byOutput.get(name);
    if (!node || kept.has(node)) continue;
    kept.add(node);
    open.push(...inputsOf(node));
  }
  graph.node = graph.node.filter((node) => kept.has(node));
  graph.initializer = graph.initializer.filter(({ name }) => needed.has(name));
}
