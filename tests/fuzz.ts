/**
 * Requests that somebody might send by mistake or on purpose: valid ones, broken in ways that fast-check
 * chooses and, when one does harm, makes small again.
 *
 * @module
 */
import fc from "fast-check";
import { encodePng } from "./png_encoder.ts";

/** A request. */
export interface Shot {
  path: string;
  type: string;
  body: Uint8Array<ArrayBuffer>;
}

const BYTES = "application/octet-stream";
const JSON_TYPE = "application/json";
const pixels = Uint8Array.from({ length: 784 }, (_, i) => i % 28 > 6 && i % 28 < 21 ? 90 + i % 120 : 0);

function png(colour: number, depth: number, interlaced: boolean): Uint8Array<ArrayBuffer> {
  const sample = (x: number, y: number): number => pixels[y % 28 * 28 + x % 28]! & ((1 << depth) - 1);
  return encodePng({ width: 28, height: 28, depth, colour, interlaced, filters: [0, 1, 2, 3, 4], sample });
}

function json(value: unknown): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(value));
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
];

type Mutation =
  | { kind: "set" | "insert"; at: number; bytes: Uint8Array }
  | { kind: "flip"; at: number; bit: number }
  | { kind: "cut" | "drop" | "repeat"; at: number; length: number }
  | { kind: "graft"; at: number; from: number };

// Where something is decided: ends of ranges, lengths, and what JSON and pictures are made of.
const TELLING = fc.constantFrom(
  ...["ffffffff", "7fffffff", "80000000", "00000000", "00000001", "0000ffff", "49484452", "49444154"].map(
    (hex) => Uint8Array.fromHex(hex),
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

/** Seeds with up to four mutations, under their own content-type or, now and then, under another's. */
export const shots: fc.Arbitrary<Shot> = fc.record({
  seed: fc.nat(SEEDS.length - 1),
  mutations: fc.array(mutation, { maxLength: 4 }),
  disguise: fc.option(fc.nat(SEEDS.length - 1), { freq: 20 }),
}).map(({ seed, mutations, disguise }) => {
  const { path, type, body } = SEEDS[seed]!;
  return {
    path,
    type: disguise === null ? type : SEEDS[disguise]!.type,
    body: mutations.reduce(mutate, body),
  };
});

function mutate(body: Uint8Array<ArrayBuffer>, mutation: Mutation): Uint8Array<ArrayBuffer> {
  const at = Math.floor(mutation.at * body.length);
  const [head, tail] = [body.subarray(0, at), body.subarray(at)];
  switch (mutation.kind) {
    case "set":
      return join(head, mutation.bytes, tail.subarray(mutation.bytes.length));
    case "insert":
      return join(head, mutation.bytes, tail);
    case "flip":
      return tail.length === 0
        ? body
        : join(head, Uint8Array.of(tail[0]! ^ 1 << mutation.bit), tail.subarray(1));
    case "cut":
      return join(head);
    case "drop":
      return join(head, tail.subarray(mutation.length));
    case "repeat":
      return join(head, tail.subarray(0, mutation.length), tail);
    case "graft":
      return join(head, SEEDS[mutation.from]!.body.subarray(at));
  }
}

function join(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
