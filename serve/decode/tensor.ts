/**
 * Tensors of the Open Inference Protocol: as JSON, flat or nested, and as bytes, little-endian and row-major,
 * as Triton's extension has them
 * (https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md).
 *
 * @module
 */
import { InputError } from "../../shared/errors.ts";

/** What a tensor is made of. */
export type Datatype = "FP32" | "UINT8";

/** Bytes of one number. */
const BYTES: Record<Datatype, number> = { FP32: 4, UINT8: 1 };

/** How many numbers a tensor has. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, side) => product * side, 1);
}

/**
 * Reads a tensor's numbers out of JSON.
 *
 * @param data flat, or nested as the shape says
 * @returns pixels in 0..1: UINT8 is divided by 255, FP32 is as it is
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
    pixels[start] = datatype === "UINT8" ? pixel(value, start) / 255 : fraction(value, start);
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
  if (bytes.length !== size * BYTES[datatype]) {
    throw new InputError(
      "invalid-value",
      `Cannot read the tensor as its shape needs ${size * BYTES[datatype]} bytes: ` +
        `current length is ${bytes.length}`,
    );
  }
  const pixels = new Float32Array(size);
  if (datatype === "UINT8") {
    for (let i = 0; i < size; i++) pixels[i] = bytes[i]! / 255;
    return pixels;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let i = 0; i < size; i++) pixels[i] = fraction(view.getFloat32(4 * i, true), i);
  return pixels;
}

/** NaN is in no range. */
function fraction(value: number, i: number): number {
  if (value >= 0 && value <= 1) return value;
  throw new InputError(
    "invalid-value",
    `Cannot read the tensor as element ${i} of FP32 must be in 0..1: current value is ${value}`,
  );
}

function pixel(value: number, i: number): number {
  if (Number.isInteger(value) && value >= 0 && value <= 255) return value;
  throw new InputError(
    "invalid-value",
    `Cannot read the tensor as element ${i} of UINT8 must be an integer in 0..255: current value is ${value}`,
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
