/**
 * Creates the nodes of a graph.
 *
 * @module
 */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  AttributeProto_AttributeType,
  type AttributeProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  TensorProto_DataType,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "onnx-buf";

/** A node with integer attributes. */
export function node(
  opType: string,
  name: string,
  input: string[],
  attributes: Record<string, number> = {},
): NodeProto {
  const attribute = Object.entries(attributes).map((
    [name, value],
  ): MessageInitShape<typeof AttributeProtoSchema> => ({
    name,
    type: AttributeProto_AttributeType.INT,
    i: BigInt(value),
  }));
  return create(NodeProtoSchema, { opType, name, input, output: [name], attribute });
}

/** A float32 input or output; a string names a free dimension. */
export function value(name: string, shape: readonly (number | string)[]): ValueInfoProto {
  return create(ValueInfoProtoSchema, {
    name,
    type: {
      value: {
        case: "tensorType",
        value: {
          elemType: TensorProto_DataType.FLOAT,
          shape: {
            dim: shape.map((size) => ({
              value: typeof size === "number"
                ? { case: "dimValue" as const, value: BigInt(size) }
                : { case: "dimParam" as const, value: size },
            })),
          },
        },
      },
    },
  });
}
