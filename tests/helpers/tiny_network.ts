/**
 * Image networks of a few nodes, as other programs would export them, for the tests of backbones.
 *
 * @module
 */
import { create } from "@bufbuild/protobuf";
import {
  AttributeProto_AttributeType,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  TensorProto_DataType,
} from "onnx-buf";
import { Random } from "../../shared/random.ts";
import { constant } from "../../train/backbone/network.ts";
import { node, value } from "../../train/backbone/nodes.ts";

/** What {@linkcode tinyNetwork} makes. */
export interface TinyNetwork {
  /** `features` ends in `[N, 8]`, `classifier` in a Gemm to 5 scores and Softmax, `spatial` in `[N, 8, 4, 4]`. */
  end: "features" | "classifier" | "spatial";
  opset?: number;
  /** A fixed batch, with a Reshape that has it too. */
  batch?: number;
  float16?: boolean;
  /** Replaces the operator of the first activation. */
  operator?: string;
}

/** A network that takes `[N, 3, 8, 8]`: two convolutions, the second of stride 2, and what the end needs. */
export function tinyNetwork(
  { end, opset = 17, batch, float16 = false, operator = "Relu" }: TinyNetwork,
): ModelProto {
  const random = new Random(1);
  const weights = (name: string, dims: number[]): ReturnType<typeof constant> => {
    const data = Float32Array.from({ length: dims.reduce((a, b) => a * b) }, () => random.uniform() - 0.4);
    const tensor = constant(name, dims, data);
    if (!float16) return tensor;
    tensor.dataType = TensorProto_DataType.FLOAT16;
    const view = new DataView(new ArrayBuffer(data.length * 2));
    data.forEach((number, i) => view.setFloat16(i * 2, number, true));
    tensor.rawData = new Uint8Array(view.buffer);
    return tensor;
  };
  const nodes = [
    node("Conv", "conv1", ["pixels", "w1"]),
    node(operator, "act1", ["conv1"]),
    withInts(node("Conv", "conv2", ["act1", "w2"]), { strides: [2, 2], pads: [1, 1, 1, 1] }),
    node("Relu", "act2", ["conv2"]),
  ];
  const initializer = [weights("w1", [6, 3, 1, 1]), weights("w2", [8, 6, 3, 3])];
  let output = "act2";
  if (end !== "spatial") {
    nodes.push(node("GlobalAveragePool", "pool", ["act2"]), node("Reshape", "flat", ["pool", "shape"]));
    initializer.push(constant("shape", [2], BigInt64Array.of(BigInt(batch ?? -1), 8n)));
    output = "flat";
  }
  if (end === "classifier") {
    nodes.push(node("Gemm", "scores", ["flat", "w3"]), node("Softmax", "softmax", ["scores"], { axis: 1 }));
    initializer.push(weights("w3", [8, 5]));
    output = "softmax";
  }
  const input = value("pixels", [batch ?? "N", 3, 8, 8]);
  const result = value(output, end === "spatial" ? ["N", 8, 4, 4] : ["N", end === "classifier" ? 5 : 8]);
  if (float16) {
    for (const { type } of [input, result]) {
      if (type?.value.case === "tensorType") type.value.value.elemType = TensorProto_DataType.FLOAT16;
    }
  }
  return create(ModelProtoSchema, {
    irVersion: 8n,
    opsetImport: [{ domain: "", version: BigInt(opset) }],
    graph: { name: "tiny", node: nodes, initializer, input: [input], output: [result] },
  });
}

function withInts(node: NodeProto, attributes: Record<string, number[]>): NodeProto {
  const made = Object.entries(attributes).map(([name, ints]) => ({
    name,
    type: AttributeProto_AttributeType.INTS,
    ints: ints.map(BigInt),
  }));
  node.attribute.push(
    ...create(ModelProtoSchema, { graph: { node: [{ attribute: made }] } }).graph!.node[0]!.attribute,
  );
  return node;
}
