/**
 * Where a classifier ends and its features begin.
 *
 * @module
 */
import type { GraphProto, NodeProto } from "onnx-buf";

/** What may stand between the last linear layer and the output: it only scales and shapes the scores. */
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

/** How many classes ImageNet has, without and with "background", and its full version. */
const IMAGENET = [1000, 1001, 21841, 21843];

/**
 * The tensor that the last linear layer of a classifier takes.
 *
 * A network ends in a head if the scores come from a `Gemm`, a `MatMul` by constants or a 1×1 `Conv` of a pooled
 * tensor, with nothing but scaling, shaping and `Softmax` behind it. SqueezeNet and its like pool the scores of a
 * `Conv` instead; that is taken for a head where there are as many scores as ImageNet has classes, for networks
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
    // Two tensors that are added make a block of the network, not its tail.
    if (node.opType !== "Reshape" && inputs.length !== 1) return undefined;
    name = node.input.find((input) => inputs.includes(input))!;
  }
}
