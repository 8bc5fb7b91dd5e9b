/**
 * Writes ONNX. An ONNX file is one protobuf message, so this is a walk over the plain objects of
 * `schema.ts` that tags each field with its number; no generated code, no Python.
 *
 * @module
 */
import { InputError } from "../errors.ts";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import {
  ATTRIBUTE,
  ATTRIBUTE_TYPE,
  DATA_TYPE,
  DIMENSION,
  ENTRY,
  GRAPH,
  IR_VERSION,
  MODEL,
  NODE,
  type OnnxAttribute,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  type OnnxValue,
  OPSET,
  OPSET_VERSION,
  SHAPE,
  TENSOR,
  TENSOR_TYPE,
  TYPE,
  VALUE,
} from "./schema.ts";

/** A tensor as a `TensorProto` message. */
export interface EncodedTensor {
  /** The message without its tag and length. */
  encoded: Uint8Array;
}

/** A model whose initializers may be encoded already. */
export type WritableModel = Omit<OnnxModel, "initializers"> & {
  initializers: (OnnxTensor | EncodedTensor)[];
};

/**
 * Encodes a tensor once, to write it into several models.
 *
 * @throws {RangeError} if the data does not fill the dimensions
 */
export function encodeTensor(tensor: OnnxTensor): EncodedTensor {
  const out = new BinaryWriter();
  writeTensor(out, tensor);
  return { encoded: out.finish() };
}

/**
 * Encodes a model. The same model always gives the same bytes.
 *
 * @throws {InputError} `invalid-shape` if an initializer's data does not fill its dimensions
 *
 * @example
 * ```ts
 * import { readOnnx, writeOnnx } from "@selvedge/selvedge/onnx";
 *
 * const model = readOnnx(await Deno.readFile("shared/artifacts/fashion-mnist/model.onnx"));
 * model.metadata.set("licence", "MIT");
 * console.assert(readOnnx(writeOnnx(model)).metadata.get("licence") === "MIT");
 * ```
 */
export function writeOnnx(model: WritableModel): Uint8Array<ArrayBuffer> {
  const out = new BinaryWriter();
  int(out, MODEL.irVersion, IR_VERSION);
  text(out, MODEL.producerName, model.producer.name);
  text(out, MODEL.producerVersion, model.producer.version);
  message(out, MODEL.graph, () => writeGraph(out, model));
  message(out, MODEL.opsetImport, () => {
    // The empty domain is ONNX's own operator set; written out because the checker asks for it.
    out.tag(OPSET.domain, WireType.LengthDelimited).string("");
    int(out, OPSET.version, OPSET_VERSION);
  });
  for (const [key, value] of model.metadata) {
    message(out, MODEL.metadata, () => {
      text(out, ENTRY.key, key);
      text(out, ENTRY.value, value);
    });
  }
  return new Uint8Array(out.finish());
}

function writeGraph(out: BinaryWriter, model: WritableModel): void {
  for (const node of model.nodes) message(out, GRAPH.node, () => writeNode(out, node));
  text(out, GRAPH.name, model.name);
  for (const tensor of model.initializers) {
    const { encoded } = "encoded" in tensor ? tensor : encodeTensor(tensor);
    out.tag(GRAPH.initializer, WireType.LengthDelimited).bytes(encoded);
  }
  text(out, GRAPH.doc, model.doc);
  for (const value of model.inputs) message(out, GRAPH.input, () => writeValue(out, value));
  for (const value of model.outputs) message(out, GRAPH.output, () => writeValue(out, value));
}

function writeNode(out: BinaryWriter, node: OnnxNode): void {
  for (const name of node.inputs) text(out, NODE.input, name);
  for (const name of node.outputs) text(out, NODE.output, name);
  text(out, NODE.name, node.name);
  text(out, NODE.op, node.op);
  for (const attribute of node.attributes) {
    message(out, NODE.attribute, () => writeAttribute(out, attribute));
  }
  text(out, NODE.doc, node.doc);
}

function writeAttribute(out: BinaryWriter, attribute: OnnxAttribute): void {
  text(out, ATTRIBUTE.name, attribute.name);
  if (attribute.type === "float") out.tag(ATTRIBUTE.float, WireType.Bit32).float(attribute.value);
  else int(out, ATTRIBUTE.int, attribute.value);
  int(out, ATTRIBUTE.type, ATTRIBUTE_TYPE[attribute.type]);
}

function writeTensor(out: BinaryWriter, tensor: OnnxTensor): void {
  const { name, dims, data } = tensor;
  const size = dims.reduce((product, dim) => product * dim, 1);
  if (data.length !== size) {
    throw new InputError(
      "invalid-shape",
      `Cannot write initializer "${name}" as dimensions [${dims.join(", ")}] need ${size} values: ` +
        `current length is ${data.length}`,
    );
  }
  for (const dim of dims) int(out, TENSOR.dims, dim);
  int(out, TENSOR.dataType, DATA_TYPE.float32);
  text(out, TENSOR.name, name);
  out.tag(TENSOR.rawData, WireType.LengthDelimited).bytes(littleEndian(data));
}

function writeValue(out: BinaryWriter, value: OnnxValue): void {
  text(out, VALUE.name, value.name);
  message(out, VALUE.type, () => {
    message(out, TYPE.tensor, () => {
      int(out, TENSOR_TYPE.elementType, value.type);
      message(out, TENSOR_TYPE.shape, () => {
        for (const [i, size] of value.shape.entries()) {
          message(out, SHAPE.dimension, () => {
            if (typeof size === "number") int(out, DIMENSION.value, size);
            else text(out, DIMENSION.param, size);
            text(out, DIMENSION.denotation, value.dimensionDenotations[i] ?? "");
          });
        }
      });
    });
    text(out, TYPE.denotation, value.denotation);
  });
  text(out, VALUE.doc, value.doc);
}

function message(out: BinaryWriter, field: number, write: () => void): void {
  out.tag(field, WireType.LengthDelimited).fork();
  write();
  out.join();
}

function text(out: BinaryWriter, field: number, value: string): void {
  if (value !== "") out.tag(field, WireType.LengthDelimited).string(value);
}

function int(out: BinaryWriter, field: number, value: number): void {
  out.tag(field, WireType.Varint).int64(value);
}

/** ONNX's `raw_data` is little-endian; so is every machine that runs JavaScript in practice. */
function littleEndian(data: Float32Array): Uint8Array {
  const bytes = new Uint8Array(data.length * 4);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < data.length; i++) view.setFloat32(i * 4, data[i]!, true);
  return bytes;
}
