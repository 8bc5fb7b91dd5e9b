import { InputError } from "../../shared/errors.ts";
import { assertEquals, assertInstanceOf, assertLess, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import { parseIdx, readIdx, readSplit } from "../../train/dataset/idx.ts";

/** Packs an IDX file independently: from the format's description, not from the reader's code. */
function pack(dims: number[], data: ArrayLike<number>, type = 8): Uint8Array<ArrayBuffer> {
  const header = [0, 0, type, dims.length];
  for (const dim of dims) header.push(dim >>> 24, dim >>> 16 & 255, dim >>> 8 & 255, dim & 255);
  return new Uint8Array([...header, ...Array.from(data)]);
}

async function gzip(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  return await new Response(new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"))).bytes();
}

const shape = { height: 2, width: 3, classes: 10 };
const images = { name: "images", bytes: pack([2, 2, 3], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 255]) };
const labels = { name: "labels", bytes: pack([2], [9, 0]) };

Deno.test("parseIdx() reads dimensions and data", () => {
  const { dims, data } = parseIdx(pack([2, 3], [1, 2, 3, 4, 5, 255]));
  assertEquals(dims, [2, 3]);
  assertEquals(data, new Uint8Array([1, 2, 3, 4, 5, 255]));
});

Deno.test("parseIdx() reads a file that lies inside a larger buffer", () => {
  const file = pack([3], [7, 8, 9]);
  const buffer = new Uint8Array(file.length + 5).fill(1);
  buffer.set(file, 3);
  assertEquals(parseIdx(buffer.subarray(3, 3 + file.length)).data, new Uint8Array([7, 8, 9]));
});

Deno.test("parseIdx() reads dimensions as big-endian", () => {
  assertEquals(parseIdx(pack([0x0102], new Uint8Array(0x0102))).dims, [258]);
});

Deno.test("parseIdx() rejects a wrong magic number and names both", () => {
  const bytes = pack([1], [5]);
  bytes[0] = 0x89;
  assertThrows(
    () => parseIdx(bytes, { name: "a.idx", dimensions: 1 }),
    InputError,
    'Cannot read IDX file "a.idx" as the magic number must be 0x00000801: current value is 0x89000801',
  );
  assertThrows(() => parseIdx(bytes), InputError, "must be 0x000008..: current value is 0x89000801");
});

Deno.test("parseIdx() rejects elements that are not unsigned bytes", () => {
  assertThrows(
    () => parseIdx(pack([1], [0, 0, 0, 0], 0x0d)),
    InputError,
    "Cannot read IDX file as the type code must be 0x08 (unsigned byte): current value is 0x0d",
  );
});

Deno.test("parseIdx() rejects a wrong number of dimensions", () => {
  assertThrows(
    () => parseIdx(labels.bytes, { dimensions: 3 }),
    InputError,
    "must have 3 dimensions (magic number 0x00000803): current value is 1 (0x00000801)",
  );
});

Deno.test("parseIdx() rejects a file that ends in the header", () => {
  assertThrows(() => parseIdx(new Uint8Array()), InputError, "it ends after 0 bytes");
  assertThrows(() => parseIdx(pack([2, 3], []).subarray(0, 11)), InputError, "it ends after 11 bytes");
});

Deno.test("parseIdx() rejects a truncated file", () => {
  assertThrows(
    () => parseIdx(images.bytes.subarray(0, -1)),
    InputError,
    "its size must be 28 bytes for dimensions 2 × 2 × 3: current size is 27, it is truncated",
  );
});

Deno.test("parseIdx() rejects extra bytes", () => {
  assertThrows(
    () => parseIdx(new Uint8Array([...labels.bytes, 0])),
    InputError,
    "its size must be 10 bytes for dimensions 2: current size is 11, there are extra bytes",
  );
});

Deno.test("parseIdx() rejects dimensions whose product overflows", () => {
  const vast = new Array(40).fill(0xffffffff);
  assertThrows(() => parseIdx(pack(vast, [1])), InputError, "it is truncated");
  assertEquals(parseIdx(pack([...vast, 0], [])).data.length, 0);
});

Deno.test("parseIdx() gives back what was packed", () => {
  const tensors = fc.array(fc.nat({ max: 5 }), { minLength: 1, maxLength: 4 }).chain((dims) => {
    const length = dims.reduce((product, dim) => product * dim, 1);
    return fc.record({
      dims: fc.constant(dims),
      data: fc.uint8Array({ minLength: length, maxLength: length }),
    });
  });
  fc.assert(fc.property(tensors, ({ dims, data }) => {
    const parsed = parseIdx(pack(dims, data));
    assertEquals(parsed.dims, dims);
    assertEquals(parsed.data, new Uint8Array(data));
  }));
});

Deno.test("readSplit() either reads changed bytes or says what is wrong with them", async () => {
  const zipped = await gzip(images.bytes);
  const changes = fc.record({
    whole: fc.constantFrom(images.bytes, zipped),
    edits: fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }),
    length: fc.nat({ max: zipped.length + 20 }),
  });
  await fc.assert(fc.asyncProperty(changes, async ({ whole, edits, length }) => {
    const bytes = new Uint8Array(length);
    bytes.set(whole.subarray(0, length));
    for (const [at, value] of edits) if (length > 0) bytes[at % length] = value;
    try {
      const split = await readSplit({ name: "images", bytes }, labels, shape);
      assertEquals(split.images.length, 12);
    } catch (error) {
      const expected = [InputError, InputError, InputError].find((type) => error instanceof type);
      assertInstanceOf(error, expected ?? InputError);
      assertEquals((error as Error).message.slice(0, 7), "Cannot ");
    }
  }));
});

Deno.test("readIdx() reads plain and gzipped files alike, whatever they are called", async () => {
  const zipped = await gzip(images.bytes);
  const plain = await readIdx(images);
  assertEquals(await readIdx({ name: "images.gz", bytes: zipped }), plain);
  assertEquals(await readIdx({ name: "images", bytes: zipped }), plain);
});

Deno.test("readIdx() unpacks a file of many chunks", async () => {
  const data = Uint8Array.from({ length: 1_000_000 }, (_, i) => (i * 2654435761) >>> 13);
  const header = pack([1000, 1000], []);
  const file = new Uint8Array(header.length + data.length);
  file.set(header);
  file.set(data, header.length);
  assertEquals((await readIdx({ name: "large.gz", bytes: await gzip(file) })).data, data);
});

Deno.test("readIdx() rejects a .gz file that is not gzip", async () => {
  await assertRejects(
    () => readIdx({ name: "labels.gz", bytes: labels.bytes }),
    InputError,
    'Cannot read IDX file "labels.gz" as a .gz file must start with 0x1f8b: it starts with 0x0000',
  );
  await assertRejects(
    () => readIdx({ name: "labels.gz", bytes: new Uint8Array() }),
    InputError,
    "it has 0 bytes",
  );
});

Deno.test("readIdx() rejects corrupt and truncated gzip", async () => {
  const zipped = await gzip(images.bytes);
  const corrupt = zipped.slice();
  corrupt[corrupt.length - 6]! ^= 0xff; // in the checksum
  for (const bytes of [corrupt, zipped.subarray(0, -3), zipped.subarray(0, 12)]) {
    await assertRejects(
      () => readIdx({ name: "labels.gz", bytes }),
      InputError,
      'Cannot read IDX file "labels.gz" as its gzip data must be complete',
    );
  }
});

Deno.test("readIdx() stops unpacking gzip at the size that the header announces", async () => {
  const zeros = new Uint8Array(64 << 20);
  zeros.set(pack([2], [1, 2]));
  const bomb = await gzip(zeros);
  // A reader that went on to the end would find the checksum broken and say that instead.
  bomb.fill(0xff, bomb.length - 8);
  const error = await assertRejects(
    () => readIdx({ name: "bomb.gz", bytes: bomb }),
    InputError,
    "there are extra bytes",
  );
  const unpacked = Number(/current size is (\d+)/.exec(error.message)?.[1]);
  assertLess(unpacked, 20 << 20);
});

Deno.test("readIdx() allocates no memory for a size that the gzip data cannot unpack to", async () => {
  const liar = await gzip(pack([0xffffffff, 0xffffffff], [1, 2, 3]));
  await assertRejects(() => readIdx({ name: "liar.gz", bytes: liar }), InputError, "it is truncated");
});

Deno.test("readSplit() pairs images with labels", async () => {
  const split = await readSplit(images, labels, shape);
  assertEquals(split.count, 2);
  assertEquals(split.images.length, 12);
  assertEquals([...split.labels], [9, 0]);
});

Deno.test("readSplit() rejects counts that differ", async () => {
  await assertRejects(
    () => readSplit(images, { name: "labels", bytes: pack([3], [1, 2, 3]) }, shape),
    InputError,
    'Cannot use "labels" as it must have one label for each of the 2 images in "images": current count is 3',
  );
});

Deno.test("readSplit() rejects labels out of range", async () => {
  await assertRejects(
    () => readSplit(images, { name: "labels", bytes: pack([2], [9, 10]) }, shape),
    InputError,
    'Cannot use "labels" as labels must be in 0..9: current value at index 1 is 10',
  );
});

Deno.test("readSplit() rejects images of another size", async () => {
  await assertRejects(
    () => readSplit(images, labels, { ...shape, width: 4 }),
    InputError,
    'Cannot use "images" as its images must be 2×4: current size is 2×3',
  );
});

Deno.test("readSplit() rejects an empty split", async () => {
  await assertRejects(
    () =>
      readSplit(
        { name: "images", bytes: pack([0, 2, 3], []) },
        { name: "labels", bytes: pack([0], []) },
        shape,
      ),
    InputError,
    'Cannot use "images" as it must contain at least one image: it has 0',
  );
});

Deno.test("readSplit() rejects images and labels that are swapped", async () => {
  await assertRejects(() => readSplit(labels, images, shape), InputError, "must have 3 dimensions");
});
