/**
 * Requests that somebody might send by mistake or on purpose: valid ones, broken in ways that fast-check
 * chooses and, when one does harm, makes small again.
 *
 * @module
 */
import { concat } from "../../shared/concat.ts";
import fc from "fast-check";
import { encodeJpeg, encodeWebp } from "./picture_encoders.js";
import { encodePng } from "./png_encoder.ts";

/** A request. */
export interface Shot {
  path: string;
  type: string;
  body: Uint8Array<ArrayBuffer>;
  /** Where the bytes of tensors begin. */
  jsonLength?: number;
}

const BYTES = "application/octet-stream";
const JSON_TYPE = "application/json";
const FORM_TYPE = "multipart/form-data; boundary=edge";
const INFER = "/v2/models/fashion-mnist/infer";
const HUGGING_FACE = "/models/fashion-mnist";
const pixels = Uint8Array.from({ length: 784 }, (_, i) => i % 28 > 6 && i % 28 < 21 ? 90 + i % 120 : 0);

function png(colour: number, depth: number, interlaced: boolean): Uint8Array<ArrayBuffer> {
  const sample = (x: number, y: number): number => pixels[y % 28 * 28 + x % 28]! & ((1 << depth) - 1);
  return encodePng({ width: 28, height: 28, depth, colour, interlaced, filters: [0, 1, 2, 3, 4], sample });
}

function json(value: unknown): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(value));
}

const picture = {
  width: 28,
  height: 28,
  data: Uint8Array.from({ length: 4 * 784 }, (_, i) => i % 4 === 3 ? 255 : pixels[i >> 2]!),
};
const jpegs = await Promise.all(
  [{}, { progressive: true }, { quality: 30, color_space: 1 }].map((options) => encodeJpeg(picture, options)),
);
const webps = await Promise.all([{}, { lossless: 1 }].map((options) => encodeWebp(picture, options)));

function form(...files: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const head = (i: number): string =>
    `--edge\r\ncontent-disposition: form-data; name="image"; filename="${i}.png"\r\n\r\n`;
  const text = (string: string): Uint8Array => new TextEncoder().encode(string);
  return concat([...files.flatMap((file, i) => [text(head(i)), file, text("\r\n")]), text("--edge--\r\n")]);
}

function infer(input: Record<string, unknown>, rest: Record<string, unknown> = {}): Uint8Array<ArrayBuffer> {
  return json({
    id: "7",
    inputs: [{ name: "image", shape: [1, 1, 28, 28], datatype: "FP32", ...input }],
    ...rest,
  });
}

function binaryInfer(): Shot {
  const bytes = new Uint8Array(new Float32Array([...pixels].map((pixel) => pixel / 255)).buffer);
  const head = infer(
    { parameters: { binary_data_size: bytes.length } },
    { parameters: { binary_data_output: true } },
  );
  return { path: INFER, type: BYTES, body: concat([head, bytes]), jsonLength: head.length };
}

/** A good request; its answer shows whether the server is still well. */
export const GOOD: Shot = { path: "/v1/classify?top_k=10", type: BYTES, body: pixels };

/** Valid requests of every kind; what is added here is fuzzed. */
export const SEEDS: Shot[] = [
  GOOD,
  { path: "/v1/classify", type: BYTES, body: new Uint8Array(3 * 784) },
  { path: "/v1/classify", type: JSON_TYPE, body: json({ pixels: [...pixels] }) },
  { path: "/v1/classify?top_k=1", type: JSON_TYPE, body: json({ images: [[...pixels], [...pixels]] }) },
  { path: "/v1/classify", type: "image/png", body: png(0, 8, false) },
  { path: "/v1/classify", type: "image/png", body: png(0, 1, true) },
  { path: "/v1/classify", type: "image/png", body: png(6, 8, true) },
  { path: "/v1/classify", type: "image/png", body: png(2, 16, false) },
  ...jpegs.map((body) => ({ path: "/v1/classify", type: "image/jpeg", body })),
  ...webps.map((body) => ({ path: "/v1/classify", type: "image/webp", body })),
  { path: "/v1/classify", type: FORM_TYPE, body: form(png(0, 8, false), jpegs[0]!, webps[0]!) },
  {
    path: "/v1/classify",
    type: JSON_TYPE,
    body: json({ images: [webps[1]!.toBase64(), `data:image/jpeg;base64,${jpegs[1]!.toBase64()}`] }),
  },
  {
    path: INFER,
    type: JSON_TYPE,
    body: infer({ shape: [1, 784], datatype: "UINT8", data: [...pixels] }, {
      outputs: [{ name: "probabilities", parameters: { classification: 3 } }],
    }),
  },
  { path: INFER, type: JSON_TYPE, body: infer({ data: [...pixels].map((pixel) => pixel / 256) }) },
  binaryInfer(),
  { path: HUGGING_FACE, type: "image/jpeg", body: jpegs[0]! },
  {
    path: HUGGING_FACE,
    type: JSON_TYPE,
    body: json({ inputs: png(0, 8, false).toBase64(), parameters: { top_k: 2, function_to_apply: "none" } }),
  },
];

type Mutation =
  | { kind: "set" | "insert"; at: number; bytes: Uint8Array }
  | { kind: "flip"; at: number; bit: number }
  | { kind: "cut" | "drop" | "repeat"; at: number; length: number }
  | { kind: "graft"; at: number; from: number };

// Where something is decided: ends of ranges, lengths, and what JSON and pictures are made of.
const TELLING = fc.constantFrom(
  // Numbers; PNG's IHDR and IDAT; JPEG's frame headers, tables, scan and end; WebP's VP8X and VP8L.
  ...["ffffffff", "7fffffff", "80000000", "00000000", "00000001", "0000ffff", "49484452", "49444154"].map(
    (hex) => Uint8Array.fromHex(hex),
  ),
  ...["ffc0", "ffc2", "ffc4", "ffda", "ffd8", "ffd9", "56503858", "5650384c"].map((hex) =>
    Uint8Array.fromHex(hex)
  ),
  ...["--edge", "\r\n\r\n", '"shape":[4294967296]', '"binary_data_size":-1'].map((text) =>
    new TextEncoder().encode(text)
  ),
  ...['"', "{", "[", "]", "}", ",", "1e999", "-1", "null", "\\ud800", "0.5", "[[[[[[[["].map((text) =>
    new TextEncoder().encode(text)
  ),
);
const at = fc.double({ min: 0, max: 1, noNaN: true });
const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({ kind: fc.constantFrom("set" as const, "insert" as const), at, bytes: TELLING }),
  fc.record({
    kind: fc.constantFrom("set" as const, "insert" as const),
    at,
    bytes: fc.uint8Array({ minLength: 1, maxLength: 8 }),
  }),
  fc.record({ kind: fc.constant("flip" as const), at, bit: fc.nat(7) }),
  fc.record({
    kind: fc.constantFrom("cut" as const, "drop" as const, "repeat" as const),
    at,
    length: fc.nat(64),
  }),
  fc.record({ kind: fc.constant("graft" as const), at, from: fc.nat(SEEDS.length - 1) }),
);

/**
 * Seeds with up to four mutations, under their own content-type or, now and then, under another's or at
 * another's path.
 */
export const shots: fc.Arbitrary<Shot> = fc.record({
  seed: fc.nat(SEEDS.length - 1),
  mutations: fc.array(mutation, { maxLength: 4 }),
  disguise: fc.option(fc.nat(SEEDS.length - 1), { freq: 20 }),
  detour: fc.option(fc.nat(SEEDS.length - 1), { freq: 40 }),
}).map(({ seed, mutations, disguise, detour }) => {
  const { path, type, body, jsonLength } = SEEDS[seed]!;
  return {
    path: detour === null ? path : SEEDS[detour]!.path,
    ...(jsonLength !== undefined && { jsonLength }),
    type: disguise === null ? type : SEEDS[disguise]!.type,
    body: mutations.reduce(mutate, body),
  };
});

function mutate(body: Uint8Array<ArrayBuffer>, mutation: Mutation): Uint8Array<ArrayBuffer> {
  const at = Math.floor(mutation.at * body.length);
  const [head, tail] = [body.subarray(0, at), body.subarray(at)];
  switch (mutation.kind) {
    case "set":
      return concat([head, mutation.bytes, tail.subarray(mutation.bytes.length)]);
    case "insert":
      return concat([head, mutation.bytes, tail]);
    case "flip":
      return tail.length === 0
        ? body
        : concat([head, Uint8Array.of(tail[0]! ^ 1 << mutation.bit), tail.subarray(1)]);
    case "cut":
      return concat([head]);
    case "drop":
      return concat([head, tail.subarray(mutation.length)]);
    case "repeat":
      return concat([head, tail.subarray(0, mutation.length), tail]);
    case "graft":
      return concat([head, SEEDS[mutation.from]!.body.subarray(at)]);
  }
}
