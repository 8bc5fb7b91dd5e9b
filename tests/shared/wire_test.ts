import { assertEquals, assertThrows } from "@std/assert";
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { WIRE_TYPE, WireReader } from "../../shared/onnx/wire.ts";

Deno.test("WireReader reads what a protobuf library writes", () => {
  const value = fc.record({
    field: fc.integer({ min: 1, max: 2 ** 29 - 1 }),
    integer: fc.maxSafeInteger(),
    text: fc.string({ unit: "grapheme" }),
    bytes: fc.uint8Array(),
    float: fc.float(),
  });
  fc.assert(fc.property(value, ({ field, integer, text, bytes, float }) => {
    const written = new BinaryWriter()
      .tag(field, WIRE_TYPE.varint).int64(BigInt(integer))
      .tag(field, WIRE_TYPE.lengthDelimited).string(text)
      .tag(field, WIRE_TYPE.lengthDelimited).bytes(bytes)
      .tag(field, WIRE_TYPE.fixed32).float(float)
      .finish();
    const reader = new WireReader(written);
    assertEquals(reader.tag(), { field, wireType: WIRE_TYPE.varint });
    assertEquals(reader.integer(), integer);
    assertEquals(reader.tag(), { field, wireType: WIRE_TYPE.lengthDelimited });
    assertEquals(reader.string(), text);
    reader.tag();
    assertEquals([...reader.bytes()], [...bytes]);
    reader.tag();
    assertEquals(reader.float(), float);
    assertEquals(reader.position, reader.length);
  }));
});

Deno.test("WireReader skips fields that are not requested", () => {
  const written = new BinaryWriter()
    .tag(1, WIRE_TYPE.varint).int64(-1)
    .tag(2, WIRE_TYPE.fixed64).fixed64(7)
    .tag(3, WIRE_TYPE.lengthDelimited).string("text")
    .tag(4, WIRE_TYPE.fixed32).fixed32(7)
    .tag(5, WIRE_TYPE.varint).int32(42)
    .finish();
  const reader = new WireReader(written);
  for (let field = 1; field < 5; field++) {
    const tag = reader.tag();
    assertEquals(tag.field, field);
    reader.skip(tag.wireType);
  }
  assertEquals(reader.tag().field, 5);
  assertEquals(reader.integer(), 42);
});

Deno.test("WireReader rejects bytes that end too early and unknown wire types", () => {
  const message = (bytes: number[], read: (reader: WireReader) => unknown): string =>
    assertThrows(() => read(new WireReader(new Uint8Array(bytes))), RangeError).message;
  assertEquals(message([], (reader) => reader.tag()), "a field runs past the end of the file");
  assertEquals(message([0x80, 0x80], (reader) => reader.integer()), "a field runs past the end of the file");
  assertEquals(message([3, 65], (reader) => reader.string()), "a field runs past the end of the file");
  assertEquals(message([0, 0, 0], (reader) => reader.float()), "a field runs past the end of the file");
  assertEquals(message([2, 0], (reader) => reader.end()), "a message runs past the end of the file");
  assertEquals(
    message(Array(11).fill(0x80), (reader) => reader.integer()),
    "an integer must have at most 10 bytes",
  );
  assertEquals(
    message([], (reader) => reader.skip(3)),
    "the wire type must be 0, 1, 2 or 5: current value is 3",
  );
});
