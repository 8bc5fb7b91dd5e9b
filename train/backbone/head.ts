/**
 * Where a classifier ends and its features begin.
 *
 * @module
 */
import type { GraphProto, NodeProto } from "onnx-buf";

/** Operators allowed between the last linear layer and the output: they only scale or reshape the scores. */
const TAIL = new Set([
  "Add",
  "Cast",
  "Div",
  "Flatten",
  "Identity",
  "LogSoftmax",
  "Mul",
  "Reshape",
  "Sigmoid",
  "Softmax",
  "Squeeze",
]);

/** Number of classes of ImageNet: without and with "background", and of its full version. */
const IMAGENET = [1000, 1001, 21841, 21843];

/**
 * The input of a classifier's last linear layer.
 *
 * A network ends in a head if the scores come from a `Gemm`, a `MatMul` by constants or a 1×1 `Conv` of a pooled
 * tensor, followed only by scaling, reshaping and `Softmax`. SqueezeNet and similar networks pool the scores of a
 * `Conv` instead. That counts as a head only if there are as many scores as ImageNet has classes, because networks
 * without a head end in the same way.
 *
 * @param shapes of every tensor, for one image
 * @returns undefined if the network has no head
 */
export function headInput(
  graph: GraphProto,
  shapes: ReadonlyMap<string, readonly number[]>,
): string | undefined {
  const byOutput = new Map<string, NodeProto>();
  for (const node of graph.node) for (const output of node.output) byOutput.set(output, node);
  const constants = new Set(graph.initializer.map(({ name }) => name));
  for (const node of graph.node) if (node.opType === "Constant") constants.add(node.output[0]!);

  const output = graph.output[0]!.name;
  const scores = shapes.get(output)?.[1] ?? 0;
  let name = output, pooled = false;
  for (;;) {
    const node = byOutput.get(name);
    if (!node) return undefined;
    const inputs = node.input.filter((input) => input !== "" && !constants.has(input));
    switch (node.opType) {
      case "Gemm":
      case "MatMul":
        return inputs.length === 1 ? inputs[0] : undefined;
      case "Conv": {
        const [, , height, width] = shapes.get(name) ?? [];
        return pooled || height === 1 && width === 1 ? node.input[0] : undefined;
      }
      case "GlobalAveragePool":
      case "AveragePool":
      case "ReduceMean":
        if (!IMAGENET.includes(scores)) return undefined;
        pooled = true;
        break;
      case "Relu":
      case "Dropout":
        if (!pooled && node.opType === "Relu") return undefined;
        break;
      default:
        if (!TAIL.has(node.opType)) return undefined;
    }
    // A sum of two tensors belongs to a block of the network, not to its head.
    if (node.opType !== "Reshape" && inputs.length !== 1) return undefined;
    name = node.input.find((input) => inputs.includes(input))!;
  }
}
