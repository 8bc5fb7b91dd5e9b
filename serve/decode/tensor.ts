/**
 * Tensors of the Open Inference Protocol: as JSON, flat or nested, and as bytes, little-endian and row-major,
 * as Triton's extension has them
 * (https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md).
 *
 * @module
 */
import { InputError } from "../../shared/errors.ts";

/** How a number is stored, and what it is as a pixel. */
interface NumberFormat {
  bytes: number;
  read: (view: DataView, at: number) => number;
  /** Whether numbers are integers in 0..255, which are divided by 255, or in 0..1, as the model takes them. */
  isByte: boolean;
}

const FORMATS = {
  FP32: { bytes: 4, read: (view, at) => view.getFloat32(at, true), isByte: false },
  FP64: { bytes: 8, read: (view, at) => view.getFloat64(at, true), isByte: false },
  UINT8: { bytes: 1, read: (view, at) => view.getUint8(at), isByte: true },
  INT32: { bytes: 4, read: (view, at) => view.getInt32(at, true), isByte: true },
  INT64: { bytes: 8, read: (view, at) => Number(view.getBigInt64(at, true)), isByte: true },
} as const satisfies Record<string, NumberFormat>;

/** What a tensor is made of: what NumPy makes of pixels and of fractions, by default and by choice. */
export type Datatype = keyof typeof FORMATS;

/** All of them. */
export const DATATYPES = Object.keys(FORMATS) as [Datatype, ...Datatype[]];

/** How many numbers a tensor has. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, side) => product * side, 1);
}

/**
 * Reads a tensor's numbers out of JSON.
 *
 * @param data flat, or nested as the shape says
 * @returns pixels in 0..1: integers are divided by 255, fractions are as they are
 * @throws {InputError} `invalid-value` if there are more or fewer elements, an element is not a number, or a number
 * is outside the range of the datatype: 0..1, or integers in 0..255
 */
export function readData(data: unknown, shape: readonly number[], datatype: Datatype): Float32Array {
  const pixels = new Float32Array(sizeOf(shape));
  if (!Array.isArray(data)) {
    throw new InputError("invalid-value", "Cannot read the tensor as its data must be an array");
  }
  const isFlat = !Array.isArray(data[0]);
  fill(data, isFlat ? [pixels.length] : shape, pixels, 0, datatype);
  return pixels;
}

function fill(
  data: unknown,
  shape: readonly number[],
  pixels: Float32Array,
  start: number,
  datatype: Datatype,
): number {
  const [side, ...inner] = shape;
  if (!Array.isArray(data) || data.length !== side) {
    throw new InputError(
      "invalid-value",
      `Cannot read the tensor as its data must have ${side} elements at each level of nesting, as in its shape: ` +
        `current ${Array.isArray(data) ? `number is ${data.length}` : `type is ${typeof data}`}`,
    );
  }
  if (inner.length > 0) {
    for (const part of data) start = fill(part, inner, pixels, start, datatype);
    return start;
  }
  for (const value of data as unknown[]) {
    if (typeof value !== "number") {
      throw new InputError(
        "invalid-value",
        `Cannot read the tensor as element ${start} must be a number: current type is ${typeof value}`,
      );
    }
    pixels[start] = pixelOf(value, start, datatype);
    start++;
  }
  return start;
}

/**
 * Reads a tensor's numbers out of bytes.
 *
 * @returns as {@linkcode readData}
 * @throws {InputError} as {@linkcode readData}, also if there are more or fewer bytes than the shape needs
 */
export function readBinary(bytes: Uint8Array, shape: readonly number[], datatype: Datatype): Float32Array {
  const size = sizeOf(shape);
  const { bytes: width, read } = FORMATS[datatype];
  if (bytes.length !== size * width) {
    throw new InputError(
      "invalid-value",
      `Cannot read the tensor as its shape needs ${size * width} bytes: current length is ${bytes.length}`,
    );
  }
  const pixels = new Float32Array(size);
  if (datatype === "UINT8") {
    for (let i = 0; i < size; i++) pixels[i] = bytes[i]! / 255;
    return pixels;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let i = 0; i < size; i++) pixels[i] = pixelOf(read(view, width * i), i, datatype);
  return pixels;
}

/** A number as the model takes it. NaN is in no range. */
function pixelOf(value: number, i: number, datatype: Datatype): number {
  const { isByte } = FORMATS[datatype];
  if (isByte && Number.isInteger(value) && value >= 0 && value <= 255) return value / 255;
  if (!isByte && value >= 0 && value <= 1) return value;
  throw new InputError(
    "invalid-value",
    `Cannot read the tensor as element ${i} of ${datatype} must be ${
      isByte ? "an integer in 0..255" : "in 0..1"
    }: ` +
      `current value is ${value}`,
  );
}

/** FP32 as bytes. */
export function writeFloats(values: Float32Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4 * values.length);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < values.length; i++) view.setFloat32(4 * i, values[i]!, true);
  return bytes;
}

/** BYTES as bytes: each string's length in four bytes, and its UTF-8. */
export function writeStrings(values: readonly string[]): Uint8Array<ArrayBuffer> {
  const texts = values.map((value) => new TextEncoder().encode(value));
  const bytes = new Uint8Array(texts.reduce((sum, text) => sum + 4 + text.length, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const text of texts) {
    view.setUint32(at, text.length, true);
    bytes.set(text, at + 4);
    at += 4 + text.length;
  }
  return bytes;
}
