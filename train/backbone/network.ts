/**
 * Reads any ONNX network with the full schema of ONNX (`onnx-buf`). Only `train/` needs it; the server uses the small
 * reader in `shared/onnx`.
 *
 * @module
 */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type GraphProto,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  type TensorProto,
  TensorProto_DataLocation,
  TensorProto_DataType,
  TensorProtoSchema,
} from "onnx-buf";
import { dirname, isAbsolute, join, normalize } from "node:path";
import { InputError } from "../../shared/errors.ts";

/** The oldest supported operator set: in older ones, the limits of `Clip` were attributes. */
const MIN_OPSET = 11;

/** Limit in bytes of a network's file and of each file of its external data. */
const MAX_BYTES = 1024 ** 3;

/**
 * Reads a network and its external data.
 *
 * @throws {InputError} if there is no such file, or it is not an ONNX network of operator set 11 or newer
 */
export async function readNetwork(path: string): Promise<ModelProto> {
  const model = parseNetwork(await readBytes(path, `backbone "${path}"`), path);
  for (const tensor of model.graph!.initializer) await embed(tensor, dirname(path));
  return model;
}

/**
 * Decodes a network.
 *
 * @param name how messages refer to it
 * @throws {InputError} if the bytes are not an ONNX network of operator set 11 or newer
 */
export function parseNetwork(bytes: Uint8Array, name: string): ModelProto {
  let model: ModelProto;
  try {
    model = fromBinary(ModelProtoSchema, bytes);
  } catch (cause) {
    throw new InputError(
      "invalid-format",
      `Cannot read backbone "${name}" as its ${bytes.length} bytes must be an ONNX file: ${
        (cause as Error).message
      }`,
      { cause },
    );
  }
  if (!model.graph || model.graph.node.length === 0) {
    throw new InputError(
      "invalid-format",
      `Cannot read backbone "${name}" as it must have a graph: there is none`,
    );
  }
  const opset = opsetOf(model);
  if (opset < MIN_OPSET) {
    throw new InputError(
      "unsupported",
      `Cannot use backbone "${name}" as its operator set must be ${MIN_OPSET} or newer: current value is ${opset}`,
      { hint: "Convert it with onnx.version_converter, or export it again" },
    );
  }
  return model;
}

/** Encodes a network. */
export function writeNetwork(model: ModelProto): Uint8Array<ArrayBuffer> {
  return new Uint8Array(toBinary(ModelProtoSchema, model));
}

/** The version of ONNX's own operator set that a network uses; 0 if the file does not state it. */
export function opsetOf(model: ModelProto): number {
  const own = model.opsetImport.find(({ domain }) => domain === "" || domain === "ai.onnx");
  return Number(own?.version ?? 0n);
}

/** Calls a function for a graph and its subgraphs, such as the branches of `If`. */
export function forEachGraph(graph: GraphProto, visit: (graph: GraphProto) => void): void {
  visit(graph);
  for (const { attribute } of graph.node) {
    for (const { g, graphs } of attribute) {
      for (const inner of g ? [g, ...graphs] : graphs) forEachGraph(inner, visit);
    }
  }
}

/** Every name that a node refers to, including those in its subgraphs. */
export function inputsOf(node: NodeProto): string[] {
  const names = [...node.input];
  for (const { g, graphs } of node.attribute) {
    for (const inner of g ? [g, ...graphs] : graphs) {
      for (const nested of inner.node) names.push(...inputsOf(nested));
    }
  }
  return names.filter((name) => name !== "");
}

/**
 * The values of a float32, float16 or int64 tensor as float64 or float32 numbers, row-major.
 *
 * @returns undefined for another type
 */
export function numbersOf(tensor: TensorProto): Float32Array<ArrayBuffer> | undefined {
  const { rawData: raw } = tensor;
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  switch (tensor.dataType) {
    case TensorProto_DataType.FLOAT:
      return raw.length > 0
        ? Float32Array.from({ length: raw.length >> 2 }, (_, i) => view.getFloat32(i * 4, true))
        : new Float32Array(tensor.floatData);
    case TensorProto_DataType.FLOAT16:
      if (raw.length > 0) {
        return Float32Array.from({ length: raw.length >> 1 }, (_, i) => view.getFloat16(i * 2, true));
      }
      // Without raw data, each is the low half of an int32.
      return Float32Array.from(tensor.int32Data, (bits) => {
        const half = new DataView(new ArrayBuffer(2));
        half.setUint16(0, bits & 0xffff);
        return half.getFloat16(0);
      });
    default:
      return undefined;
  }
}

/** The values of an int64 tensor. */
export function wholeNumbersOf({ rawData: raw, int64Data }: TensorProto): bigint[] {
  if (raw.length === 0) return [...int64Data];
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  return Array.from({ length: raw.length >> 3 }, (_, i) => view.getBigInt64(i * 8, true));
}

/** A constant tensor. It shares memory with `data`, which must not change afterwards. */
export function constant(
  name: string,
  dims: readonly number[],
  data: Float32Array<ArrayBuffer> | Int8Array<ArrayBuffer> | BigInt64Array<ArrayBuffer>,
): TensorProto {
  const dataType = data instanceof Float32Array
    ? TensorProto_DataType.FLOAT
    : data instanceof Int8Array
    ? TensorProto_DataType.INT8
    : TensorProto_DataType.INT64;
  return create(TensorProtoSchema, {
    name,
    dims: dims.map(BigInt),
    dataType,
    rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  });
}

async function readBytes(path: string, what: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const { size } = await Deno.stat(path);
    if (size > MAX_BYTES) {
      throw new InputError(
        "too-large",
        `Cannot read ${what} as it must have at most ${MAX_BYTES} bytes: current size is ${size}`,
      );
    }
    return await Deno.readFile(path);
  } catch (cause) {
    if (cause instanceof InputError) throw cause;
    const why = cause instanceof Deno.errors.NotFound ? "there is no such file" : (cause as Error).message;
    throw new InputError("not-found", `Cannot read ${what} as ${why}`, { cause });
  }
}

/** Moves external data into the network. */
async function embed(tensor: TensorProto, folder: string): Promise<void> {
  if (tensor.dataLocation !== TensorProto_DataLocation.EXTERNAL) return;
  const entries = new Map(tensor.externalData.map(({ key, value }) => [key, value]));
  const location = normalize(entries.get("location") ?? "");
  if (isAbsolute(location) || location.startsWith("..")) {
    throw new InputError(
      "invalid-value",
      `Cannot read the backbone as the data of "${tensor.name}" must be in its folder: current location is "${location}"`,
    );
  }
  const bytes = await readBytes(join(folder, location), `the backbone's data "${location}"`);
  const offset = Number(entries.get("offset") ?? 0);
  const length = Number(entries.get("length") ?? bytes.length - offset);
  if (!(offset >= 0 && length >= 0 && offset + length <= bytes.length)) {
    throw new InputError(
      "invalid-format",
      `Cannot read the backbone as the data of "${tensor.name}" must be within the ${bytes.length} bytes of ` +
        `"${location}": it starts at ${offset} and has ${length} bytes`,
    );
  }
  tensor.rawData = bytes.slice(offset, offset + length);
  tensor.externalData = [];
  tensor.dataLocation = TensorProto_DataLocation.DEFAULT;
}
