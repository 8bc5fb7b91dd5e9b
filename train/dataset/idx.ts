/**
 * Reads IDX, the format of MNIST and related data sets (http://yann.lecun.com/exdb/mnist/): four magic bytes that name
 * the element type and the number of dimensions, each dimension as a big-endian uint32, then the elements. Only
 * unsigned bytes are read, as the data sets have nothing else.
 *
 * @module
 */
import { InputError } from "../../shared/errors.ts";
import type { Split } from "./types.ts";

/** A tensor of bytes. */
export interface IdxTensor {
  dims: number[];
  /** Row-major, as long as the dimensions' product. */
  data: Uint8Array<ArrayBuffer>;
}

/** A file's content, and its name in errors. */
export interface NamedBytes {
  name: string;
  bytes: Uint8Array<ArrayBuffer>;
}

/** What a pair of files must contain. */
export interface SplitShape {
  /** Pixels. */
  height: number;
  /** Pixels. */
  width: number;
  /** Labels are in `0..classes - 1`. */
  classes: number;
}

const UNSIGNED_BYTE = 0x08;
/** DEFLATE cannot shrink data further than this (https://zlib.net/zlib_tech.html). */
const BEST_COMPRESSION = 1032;
/** Bytes of gzip data to unpack at a time: 16 MiB at the very most. */
const SLICE = 16 * 1024;

/**
 * Decodes an IDX file that is not compressed. The data is a view of the bytes, not a copy.
 *
 * @param bytes the whole file
 * @param options.name name of the file in errors
 * @param options.dimensions how many dimensions it must have; any number if absent
 * @throws {InputError} if the bytes are no IDX file, or too few or too many
 * @throws {InputError} if the elements are not unsigned bytes, or the number of dimensions is another
 */
export function parseIdx(
  bytes: Uint8Array<ArrayBuffer>,
  options: { name?: string; dimensions?: number } = {},
): IdxTensor {
  const file = options.name === undefined ? "IDX file" : `IDX file "${options.name}"`;
  const dims = readDims(bytes);
  if (dims === undefined) {
    if (bytes.length >= 4 && (bytes[0] !== 0 || bytes[1] !== 0)) {
      const expected = hex(0x800 + (options.dimensions ?? 1), 8);
      throw new InputError(
        "invalid-format",
        `Cannot read ${file} as the magic number must be ${options.dimensions ? expected : "0x000008.."}: ` +
          `current value is ${hex(new DataView(bytes.buffer, bytes.byteOffset).getUint32(0), 8)}`,
      );
    }
    throw new InputError(
      "invalid-format",
      `Cannot read ${file} as its header must be complete: it ends after ${bytes.length} bytes`,
    );
  }
  if (bytes[2] !== UNSIGNED_BYTE) {
    throw new InputError(
      "invalid-format",
      `Cannot read ${file} as the type code must be ${hex(UNSIGNED_BYTE, 2)} (unsigned byte): ` +
        `current value is ${hex(bytes[2]!, 2)}`,
    );
  }
  if (options.dimensions !== undefined && dims.length !== options.dimensions) {
    throw new InputError(
      "invalid-format",
      `Cannot read ${file} as it must have ${options.dimensions} dimensions ` +
        `(magic number ${hex(0x800 + options.dimensions, 8)}): ` +
        `current value is ${dims.length} (${hex(0x800 + dims.length, 8)})`,
    );
  }
  const size = fileSize(dims);
  if (bytes.length !== size) {
    const fault = bytes.length < size ? "it is truncated" : "there are extra bytes";
    throw new InputError(
      "invalid-format",
      `Cannot read ${file} as its size must be ${size} bytes for dimensions ${dims.join(" × ")}: ` +
        `current size is ${bytes.length}, ${fault}`,
    );
  }
  return { dims, data: bytes.subarray(headerSize(dims.length)) };
}

/**
 * Decodes an IDX file, gzipped or not: the content decides, but a file whose name ends in `.gz` must be gzipped.
 *
 * No more is unpacked than the file's own header announces, so a small file cannot fill the memory.
 *
 * @throws {InputError} if the bytes are no IDX file, or broken gzip
 * @throws {InputError} if the elements are not unsigned bytes, or the number of dimensions is another
 */
export async function readIdx({ name, bytes }: NamedBytes, dimensions?: number): Promise<IdxTensor> {
  const gzipped = bytes[0] === 0x1f && bytes[1] === 0x8b;
  if (name.endsWith(".gz") && !gzipped) {
    throw new InputError(
      "invalid-format",
      `Cannot read IDX file "${name}" as a .gz file must start with 0x1f8b: ` +
        (bytes.length < 2
          ? `it has ${bytes.length} bytes`
          : `it starts with ${hex(bytes[0]! << 8 | bytes[1]!, 4)}`),
    );
  }
  const plain = gzipped ? await gunzip({ name, bytes }) : bytes;
  return parseIdx(plain, { name, ...(dimensions === undefined ? {} : { dimensions }) });
}

/**
 * Decodes a file of images `[N, height, width]` and the file of their labels `[N]`.
 *
 * @throws {InputError} if one of them is no IDX file
 * @throws {InputError} if one of them has another element type or number of dimensions
 * @throws {InputError} if the images' size, the counts or a label are not what they must be
 */
export async function readSplit(images: NamedBytes, labels: NamedBytes, shape: SplitShape): Promise<Split> {
  const { height, width, ...split } = await readPair(images, labels);
  if (height !== shape.height || width !== shape.width) {
    throw new InputError(
      "invalid-value",
      `Cannot use "${images.name}" as its images must be ${shape.height}×${shape.width}: ` +
        `current size is ${height}×${width}`,
    );
  }
  checkLabels(split.labels, shape.classes, labels.name);
  return split;
}

/**
 * Decodes a file of images `[N, height, width]` of any size and the file of their labels `[N]`, whatever they
 * are.
 *
 * @throws {InputError} if one of them is no IDX file
 * @throws {InputError} if one of them has another element type or number of dimensions
 * @throws {InputError} if there are no images, or not as many labels
 */
export async function readPair(
  images: NamedBytes,
  labels: NamedBytes,
): Promise<Split & { labels: Uint8Array; height: number; width: number }> {
  const pixels = await readIdx(images, 3);
  const classes = await readIdx(labels, 1);
  const [count, height, width] = pixels.dims as [number, number, number];
  if (count === 0) {
    throw new InputError(
      "invalid-value",
      `Cannot use "${images.name}" as it must contain at least one image: it has 0`,
    );
  }
  if (classes.dims[0] !== count) {
    throw new InputError(
      "invalid-value",
      `Cannot use "${labels.name}" as it must have one label for each of the ${count} images in ` +
        `"${images.name}": current count is ${classes.dims[0]}`,
    );
  }
  return { images: pixels.data, labels: classes.data, count, height, width };
}

/** @throws {InputError} if a label is not below the number of classes */
export function checkLabels(labels: ArrayLike<number>, classes: number, name: string): void {
  for (let i = 0; i < labels.length; i++) {
    if (labels[i]! < classes) continue;
    throw new InputError(
      "invalid-value",
      `Cannot use "${name}" as labels must be in 0..${classes - 1}: current value at index ${i} is ${
        labels[i]
      }`,
    );
  }
}

/** Unpacks gzip up to the size that the IDX header inside announces; the parser reports what is wrong with it. */
async function gunzip({ name, bytes }: NamedBytes): Promise<Uint8Array<ArrayBuffer>> {
  const stream = ReadableStream.from(slices(bytes)).pipeThrough(new DecompressionStream("gzip"));
  let plain = new Uint8Array();
  let length = 0;
  // The longest header there can be, until the real one has been read.
  let limit = headerSize(255);
  let announced = false;
  try {
    for await (const chunk of stream) {
      plain = room(plain, length + chunk.length);
      plain.set(chunk, length);
      length += chunk.length;
      const dims = announced ? undefined : readDims(plain.subarray(0, length));
      if (dims !== undefined) {
        announced = true;
        limit = fileSize(dims);
        // All at once, unless the header announces more than these bytes can unpack to.
        if (limit <= bytes.length * BEST_COMPRESSION) plain = room(plain, limit);
      }
      // Leaving the loop stops the unpacking.
      if (length > limit) break;
    }
  } catch (cause) {
    throw new InputError(
      "invalid-format",
      `Cannot read IDX file "${name}" as its gzip data must be complete: ${(cause as Error).message}`,
      { cause },
    );
  }
  return plain.subarray(0, length);
}

/** In small pieces, as a DecompressionStream unpacks each piece whole before anyone can stop it. */
function* slices(bytes: Uint8Array<ArrayBuffer>): Generator<Uint8Array<ArrayBuffer>> {
  for (let i = 0; i < bytes.length; i += SLICE) yield bytes.subarray(i, i + SLICE);
}

/** The same bytes with room for at least `size`, at least doubling so that growth stays cheap. */
function room(bytes: Uint8Array<ArrayBuffer>, size: number): Uint8Array<ArrayBuffer> {
  if (bytes.length >= size) return bytes;
  const roomy = new Uint8Array(Math.max(size, bytes.length * 2));
  roomy.set(bytes);
  return roomy;
}

/** The dimensions in the header, or nothing if it is not one or not yet whole. */
function readDims(bytes: Uint8Array<ArrayBuffer>): number[] | undefined {
  if (bytes.length < 4 || bytes[0] !== 0 || bytes[1] !== 0) return undefined;
  const count = bytes[3]!;
  if (bytes.length < headerSize(count)) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: count }, (_, i) => view.getUint32(4 + 4 * i));
}

function headerSize(dimensions: number): number {
  return 4 + 4 * dimensions;
}

function fileSize(dims: number[]): number {
  // A zero decides before the product of the others can overflow to infinity.
  const elements = dims.includes(0) ? 0 : dims.reduce((product, dim) => product * dim, 1);
  return headerSize(dims.length) + elements;
}

function hex(value: number, digits: number): string {
  return `0x${value.toString(16).padStart(digits, "0")}`;
}
