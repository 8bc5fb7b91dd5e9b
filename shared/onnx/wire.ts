/**
 * Reads the wire format of Protocol Buffers (https://protobuf.dev/programming-guides/encoding/), as far as ONNX files
 * need it. A library would add 3 MB to the installation of the server, for this.
 *
 * @module
 */

/** How a field is encoded. */
export const WIRE_TYPE = { varint: 0, fixed64: 1, lengthDelimited: 2, fixed32: 5 } as const;

const MAX_VARINT_BYTES = 10;

/** Reads fields one after the other. Every method throws a `RangeError` if the bytes end too early. */
export class WireReader {
  /** Where the next field begins, in bytes. */
  position = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #text = new TextDecoder();

  /** Starts at the first byte. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** How many bytes there are. */
  get length(): number {
    return this.#bytes.length;
  }

  /** The number of the next field, and how it is encoded. */
  tag(): { field: number; wireType: number } {
    const tag = this.#unsigned();
    return { field: Math.floor(tag / 8), wireType: tag % 8 };
  }

  /** A signed integer of up to 64 bits; beyond ±2⁵³ it is rounded. */
  integer(): number {
    return Number(BigInt.asIntN(64, this.#varint()));
  }

  /** A float32. */
  float(): number {
    return this.#view.getFloat32(this.#advance(4), true);
  }

  /** A view of the file's bytes, not a copy. */
  bytes(): Uint8Array {
    const length = this.#unsigned();
    const start = this.#advance(length);
    return this.#bytes.subarray(start, start + length);
  }

  /** UTF-8 text. */
  string(): string {
    return this.#text.decode(this.bytes());
  }

  /**
   * Reads the length of a message or of packed numbers.
   *
   * @returns where it ends
   */
  end(): number {
    const length = this.#unsigned();
    if (length > this.length - this.position) throw new RangeError("a message runs past the end of the file");
    return this.position + length;
  }

  /**
   * Passes over the value of a field.
   *
   * @throws {RangeError} if the wire type is unknown
   */
  skip(wireType: number): void {
    switch (wireType) {
      case WIRE_TYPE.varint:
        this.#varint();
        return;
      case WIRE_TYPE.fixed64:
        this.#advance(8);
        return;
      case WIRE_TYPE.lengthDelimited:
        this.#advance(this.#unsigned());
        return;
      case WIRE_TYPE.fixed32:
        this.#advance(4);
        return;
      default:
        throw new RangeError(`the wire type must be 0, 1, 2 or 5: current value is ${wireType}`);
    }
  }

  #unsigned(): number {
    return Number(this.#varint());
  }

  #varint(): bigint {
    let value = 0n;
    for (let i = 0; i < MAX_VARINT_BYTES; i++) {
      const byte = this.#bytes[this.#advance(1)]!;
      value |= BigInt(byte & 0x7f) << BigInt(7 * i);
      if (byte < 0x80) return value;
    }
    throw new RangeError(`an integer must have at most ${MAX_VARINT_BYTES} bytes`);
  }

  /** @returns the position before */
  #advance(count: number): number {
    const start = this.position;
    if (count > this.length - start) throw new RangeError("a field runs past the end of the file");
    this.position = start + count;
    return start;
  }
}
