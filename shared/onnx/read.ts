/**
 * Reads ONNX back into the plain objects of `schema.ts`: what a file says about itself, its graph and its
 * float32 weights. It does not run anything.
 *
 * @module
 */
import { InputError } from "../errors.ts";
import {
  ATTRIBUTE,
  DATA_TYPE,
  DIMENSION,
  ENTRY,
  GRAPH,
  MODEL,
  NODE,
  type OnnxAttribute,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  type OnnxValue,
  SHAPE,
  TENSOR,
  TENSOR_TYPE,
  TYPE,
  VALUE,
} from "./schema.ts";
import { WIRE_TYPE, WireReader } from "./wire.ts";

export type { OnnxModel } from "./schema.ts";

/**
 * Decodes an ONNX file.
 *
 * Initializers that are not float32 are kept without data, as the project never computes with them.
 *
 * @param bytes they must not change while the result is used, as weights are copied when they are first read
 * @returns what the file contains
 *
 * @throws {InputError} `invalid-format` if the bytes are not an ONNX file
 *
 * @example
 * ```ts
 * import { readOnnx } from "@selvedge/selvedge/onnx";
 *
 * const { nodes, inputs } = readOnnx(await Deno.readFile("shared/artifacts/fashion-mnist/model.onnx"));
 * console.assert(nodes.map(({ op }) => op).includes("Gemm"));
 * console.assert(inputs[0]!.shape.join() === "N,1,28,28");
 * ```
 */
export function readOnnx(bytes: Uint8Array): OnnxModel {
  const model: OnnxModel = {
    name: "",
    doc: "",
    producer: { name: "", version: "" },
    inputs: [],
    outputs: [],
    nodes: [],
    initializers: [],
    metadata: new Map(),
  };
  let hasGraph = false;
  try {
    fields(new WireReader(bytes), bytes.length, {
      [MODEL.producerName]: (reader) => model.producer.name = reader.string(),
      [MODEL.producerVersion]: (reader) => model.producer.version = reader.string(),
      [MODEL.graph]: (reader) => {
        hasGraph = true;
        readGraph(reader, model);
      },
      [MODEL.metadata]: (reader) => {
        let key = "", value = "";
        nested(reader, {
          [ENTRY.key]: (reader) => key = reader.string(),
          [ENTRY.value]: (reader) => value = reader.string(),
        });
        model.metadata.set(key, value);
      },
    });
  } catch (cause) {
    throw new InputError(
      "invalid-format",
      `Cannot read ONNX file as its ${bytes.length} bytes are not valid protobuf: ${
        (cause as Error).message
      }`,
      { cause },
    );
  }
  if (!hasGraph) {
    throw new InputError(
      "invalid-format",
      `Cannot read ONNX file as its ${bytes.length} bytes have no graph`,
    );
  }
  return model;
}

function readGraph(reader: WireReader, model: OnnxModel): void {
  nested(reader, {
    [GRAPH.node]: (reader) => model.nodes.push(readNode(reader)),
    [GRAPH.name]: (reader) => model.name = reader.string(),
    [GRAPH.initializer]: (reader) => model.initializers.push(readTensor(reader)),
    [GRAPH.doc]: (reader) => model.doc = reader.string(),
    [GRAPH.input]: (reader) => model.inputs.push(readValue(reader)),
    [GRAPH.output]: (reader) => model.outputs.push(readValue(reader)),
  });
}

function readNode(reader: WireReader): OnnxNode {
  const node: OnnxNode = { name: "", op: "", inputs: [], outputs: [], attributes: [], doc: "" };
  nested(reader, {
    [NODE.input]: (reader) => node.inputs.push(reader.string()),
    [NODE.output]: (reader) => node.outputs.push(reader.string()),
    [NODE.name]: (reader) => node.name = reader.string(),
    [NODE.op]: (reader) => node.op = reader.string(),
    [NODE.attribute]: (reader) => {
      const attribute: OnnxAttribute = { name: "", type: "int", value: 0 };
      nested(reader, {
        [ATTRIBUTE.name]: (reader) => attribute.name = reader.string(),
        [ATTRIBUTE.float]: (reader) => {
          attribute.type = "float";
          attribute.value = reader.float();
        },
        [ATTRIBUTE.int]: (reader) => attribute.value = reader.integer(),
      });
      node.attributes.push(attribute);
    },
    [NODE.doc]: (reader) => node.doc = reader.string(),
  });
  return node;
}

function readTensor(reader: WireReader): OnnxTensor {
  let type = 0, raw: Uint8Array = new Uint8Array(), data: Float32Array<ArrayBuffer> | undefined;
  const floats: number[] = [];
  const tensor: OnnxTensor = {
    name: "",
    dims: [],
    // Copied when it is read, as most callers only want what a file says about itself.
    get data(): Float32Array<ArrayBuffer> {
      return data ??= type === DATA_TYPE.float32 ? readFloats(raw, floats) : new Float32Array();
    },
  };
  nested(reader, {
    [TENSOR.dims]: (reader, wireType) => {
      packed(reader, wireType, () => tensor.dims.push(reader.integer()));
    },
    [TENSOR.dataType]: (reader) => type = reader.integer(),
    [TENSOR.floatData]: (reader, wireType) => packed(reader, wireType, () => floats.push(reader.float())),
    [TENSOR.name]: (reader) => tensor.name = reader.string(),
    [TENSOR.rawData]: (reader) => raw = reader.bytes(),
  });
  return tensor;
}

function readFloats(raw: Uint8Array, floats: number[]): Float32Array<ArrayBuffer> {
  if (raw.length === 0) return new Float32Array(floats);
  // A copy, as floats must start at a multiple of four bytes; not by slice(), which copies nothing if this is a Buffer.
  // The file and all platforms are little-endian.
  return new Float32Array(new Uint8Array(raw.subarray(0, raw.length & ~3)).buffer);
}

function readValue(reader: WireReader): OnnxValue {
  const value: OnnxValue = {
    name: "",
    type: 0,
    shape: [],
    doc: "",
    denotation: "",
    dimensionDenotations: [],
  };
  nested(reader, {
    [VALUE.name]: (reader) => value.name = reader.string(),
    [VALUE.doc]: (reader) => value.doc = reader.string(),
    [VALUE.type]: (reader) =>
      nested(reader, {
        [TYPE.denotation]: (reader) => value.denotation = reader.string(),
        [TYPE.tensor]: (reader) =>
          nested(reader, {
            [TENSOR_TYPE.elementType]: (reader) => value.type = reader.integer(),
            [TENSOR_TYPE.shape]: (reader) =>
              nested(reader, {
                [SHAPE.dimension]: (reader) => {
                  let size: number | string = "", denotation = "";
                  nested(reader, {
                    [DIMENSION.value]: (reader) => size = reader.integer(),
                    [DIMENSION.param]: (reader) => size = reader.string(),
                    [DIMENSION.denotation]: (reader) => denotation = reader.string(),
                  });
                  value.shape.push(size);
                  value.dimensionDenotations.push(denotation);
                },
              }),
          }),
      }),
  });
  if (value.dimensionDenotations.every((denotation) => denotation === "")) value.dimensionDenotations = [];
  return value;
}

type Handlers = Record<number, (reader: WireReader, wireType: number) => void>;

/** Reads one length-delimited message, handing each known field to its handler. */
function nested(reader: WireReader, handlers: Handlers): void {
  fields(reader, reader.end(), handlers);
}

function fields(reader: WireReader, end: number, handlers: Handlers): void {
  while (reader.position < end) {
    const { field, wireType } = reader.tag();
    const handler = handlers[field];
    if (handler) handler(reader, wireType);
    else reader.skip(wireType);
  }
  if (reader.position !== end) throw new RangeError("a field runs past the end of its message");
}

/** A repeated number may be packed into one field or stand alone; both are valid protobuf. */
function packed(reader: WireReader, wireType: number, read: () => void): void {
  if (wireType !== WIRE_TYPE.lengthDelimited) return read();
  const end = reader.end();
  while (reader.position < end) read();
}
