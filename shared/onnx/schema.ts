/**
 * The part of ONNX that this project writes and reads, as plain objects, with the field numbers of
 * https://github.com/onnx/onnx/blob/v1.16.0/onnx/onnx.proto. Unknown fields are skipped on reading.
 *
 * @module
 */

/** IR version 8 with operator set 17: old enough for every runtime in use, new enough for all we need. */
export const IR_VERSION = 8;
/** The version of ONNX's own operators. */
export const OPSET_VERSION = 17;

/** `TensorProto.DataType`: the element types that the project deals in. */
export const DATA_TYPE = { float32: 1, int64: 7 } as const;
/** `AttributeProto.AttributeType` */
export const ATTRIBUTE_TYPE = { float: 1, int: 2 } as const;

/** A model: `ModelProto` with its `GraphProto`, flattened into one object. */
export interface OnnxModel {
  /** The graph's name. */
  name: string;
  /** For people. */
  doc: string;
  /** The program that wrote it. */
  producer: { name: string; version: string };
  /** What the graph takes. */
  inputs: OnnxValue[];
  /** What the graph gives. */
  outputs: OnnxValue[];
  /** In an order in which they can run. */
  nodes: OnnxNode[];
  /** The constants: weights and biases. */
  initializers: OnnxTensor[];
  /** `metadata_props`, in order. */
  metadata: Map<string, string>;
}

/** A graph input or output: `ValueInfoProto`. */
export interface OnnxValue {
  /** What nodes refer to it by. */
  name: string;
  /** A {@linkcode DATA_TYPE}. */
  type: number;
  /** A number is fixed, a string names a free dimension. */
  shape: (number | string)[];
  /** For people. */
  doc: string;
  /** ONNX's type denotation, as `IMAGE`; empty if none. */
  denotation: string;
  /** ONNX's dimension denotations, as `DATA_BATCH`; one per dimension, or empty. */
  dimensionDenotations: string[];
}

/** One operation: `NodeProto` of the default domain. */
export interface OnnxNode {
  /** Of the node itself, for messages. */
  name: string;
  /** The operator, as `Gemm`. */
  op: string;
  /** Names of values, in the operator's order. */
  inputs: string[];
  /** Names of values, in the operator's order. */
  outputs: string[];
  /** Settings of the operator; those that are left out have its defaults. */
  attributes: OnnxAttribute[];
  /** For people. */
  doc: string;
}

/** `AttributeProto`; the two kinds that the project writes. */
export interface OnnxAttribute {
  /** As the operator calls it. */
  name: string;
  /** Which of the fields holds the value. */
  type: keyof typeof ATTRIBUTE_TYPE;
  /** A float32, or a whole number of at most 2⁵³. */
  value: number;
}

/** A float32 constant: `TensorProto` with `raw_data`. */
export interface OnnxTensor {
  /** What nodes refer to it by. */
  name: string;
  /** The size along each dimension; none for a scalar. */
  dims: number[];
  /** Row-major. */
  data: Float32Array<ArrayBuffer>;
}

/** Field numbers of `ModelProto`. */
export const MODEL = {
  irVersion: 1,
  producerName: 2,
  producerVersion: 3,
  graph: 7,
  opsetImport: 8,
  metadata: 14,
} as const;
/** Field numbers of `OperatorSetIdProto`. */
export const OPSET = { domain: 1, version: 2 } as const;
/** Field numbers of `StringStringEntryProto`. */
export const ENTRY = { key: 1, value: 2 } as const;
/** Field numbers of `GraphProto`. */
export const GRAPH = { node: 1, name: 2, initializer: 5, doc: 10, input: 11, output: 12 } as const;
/** Field numbers of `NodeProto`. */
export const NODE = { input: 1, output: 2, name: 3, op: 4, attribute: 5, doc: 6 } as const;
/** Field numbers of `AttributeProto`. */
export const ATTRIBUTE = { name: 1, float: 2, int: 3, type: 20 } as const;
/** Field numbers of `TensorProto`. */
export const TENSOR = { dims: 1, dataType: 2, floatData: 4, name: 8, rawData: 9 } as const;
/** Field numbers of `ValueInfoProto`. */
export const VALUE = { name: 1, type: 2, doc: 3 } as const;
/** Field numbers of `TypeProto`. */
export const TYPE = { tensor: 1, denotation: 6 } as const;
/** Field numbers of `TypeProto.Tensor`. */
export const TENSOR_TYPE = { elementType: 1, shape: 2 } as const;
/** Field numbers of `TensorShapeProto`. */
export const SHAPE = { dimension: 1 } as const;
/** Field numbers of `TensorShapeProto.Dimension`. */
export const DIMENSION = { value: 1, param: 2, denotation: 3 } as const;
