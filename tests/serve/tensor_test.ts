import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { DATATYPES, readBinary, readData, writeFloats, writeStrings } from "../../serve/decode/tensor.ts";
import { InputError } from "../../shared/errors.ts";

/** Nests flat data as a shape says. */
function nest(data: number[], [, ...inner]: number[]): unknown {
  if (inner.length === 0) return data;
  const size = inner.reduce((product, side) => product * side, 1);
  return Array.from(
    { length: data.length / size },
    (_, i) => nest(data.slice(i * size, (i + 1) * size), inner),
  );
}

const shapes = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 });
const withData = shapes.chain((shape) => {
  const size = shape.reduce((product, side) => product * side, 1);
  return fc.record({
    shape: fc.constant(shape),
    bytes: fc.uint8Array({ minLength: size, maxLength: size }),
    floats: fc.float32Array({ minLength: size, maxLength: size, min: 0, max: 1, noNaN: true }),
  });
});

Deno.test("readData() and readBinary() read the same numbers, flat, nested and as bytes", () => {
  fc.assert(
    fc.property(withData, ({ shape, bytes, floats }) => {
      const wanted = Float32Array.from(bytes, (byte) => byte / 255);
      assertEquals(readData([...bytes], shape, "UINT8"), wanted);
      assertEquals(readData(nest([...bytes], shape), shape, "UINT8"), wanted);
      assertEquals(readBinary(bytes, shape, "UINT8"), wanted);
      assertEquals(readData([...floats], shape, "FP32"), floats);
      assertEquals(readData(nest([...floats], shape), shape, "FP32"), floats);
      assertEquals(readBinary(writeFloats(floats), shape, "FP32"), floats);
    }),
  );
});

Deno.test("writeFloats() is little-endian", () => {
  assertEquals([...writeFloats(Float32Array.of(1, -2))], [0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0]);
});

Deno.test("writeStrings() puts each length before its UTF-8", () => {
  assertEquals([...writeStrings(["a", "", "é"])], [1, 0, 0, 0, 97, 0, 0, 0, 0, 2, 0, 0, 0, 0xc3, 0xa9]);
});

Deno.test("readData() and readBinary() read or refuse any input", () => {
  const datatype = fc.constantFrom(...DATATYPES);
  const data = fc.oneof(fc.anything(), fc.array(fc.oneof(fc.double(), fc.integer(), fc.array(fc.double()))));
  const isRefusal = (error: unknown): boolean => error instanceof InputError;
  fc.assert(
    fc.property(shapes, datatype, data, fc.uint8Array(), (shape, datatype, data, bytes) => {
      for (
        const read of [
          () => readData(data, shape, datatype),
          () => readBinary(bytes, shape, datatype),
        ]
      ) {
        try {
          const pixels = read();
          assertEquals(pixels.length, shape.reduce((product, side) => product * side, 1));
          assert(pixels.every((value) => value >= 0 && value <= 1));
        } catch (error) {
          assert(isRefusal(error), String(error));
          assert((error as Error).message.startsWith("Cannot read the tensor as "));
        }
      }
    }),
    { numRuns: 1000 },
  );
});

Deno.test("readData() rejects data whose nesting differs from its shape", () => {
  const shape = [2, 3];
  for (
    const data of [[[1, 2], [3, 4], [5, 6]], [[1, 2, 3]], [[1, 2, 3], 4], [[1, 2, 3], [4, 5]], [
      1,
      [2],
      3,
      4,
      5,
      6,
    ]]
  ) {
    assertThrows(() => readData(data, shape, "UINT8"), InputError, "Cannot read the tensor");
  }
});
