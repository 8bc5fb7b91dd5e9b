/**
 * What the suites of requests of all protocols share: images, requests and assertions.
 *
 * @module
 */
import { assertAlmostEquals, assertEquals, assertStringIncludes } from "@std/assert";
import { type Rgba } from "../helpers/picture_encoders.js";
import { encodePng } from "../helpers/png_encoder.ts";
import type { Send } from "./requests.ts";

export const CLASSES = 10;

/** `[28, 28]`: a bright upright box, different for each seed. */
export function box(seed: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: 784 }, (_, i) => {
    const x = i % 28, y = Math.floor(i / 28);
    return x >= 6 + seed && x < 20 && y >= 2 && y < 26 - seed ? 120 + seed * 10 + x : 0;
  });
}

/** The same as a picture. */
export function picture(seed: number): Rgba {
  const data = Uint8Array.from(box(seed)).values().flatMap((value) => [value, value, value, 255]);
  return { width: 28, height: 28, data: Uint8Array.from(data) };
}

export function png(seed: number): Uint8Array<ArrayBuffer> {
  const pixels = box(seed);
  const sample = (x: number, y: number): number => pixels[y * 28 + x]!;
  return encodePng({ width: 28, height: 28, depth: 8, colour: 0, interlaced: false, filters: [1], sample });
}

export interface Ranked {
  label: string;
  class_index: number;
  score: number;
}
export type Prediction = Ranked & {
  top: Ranked[];
  error?: { status: number; title: string; detail: string };
};

export async function read<T>(response: Response, status = 200): Promise<T> {
  const text = await response.text();
  assertEquals(response.status, status, text);
  assertEquals(response.headers.get("content-type"), "application/json");
  return JSON.parse(text);
}

/** All classes of the images of some raw bytes: what every other way must agree with. */
export async function truth(send: Send, ...seeds: number[]): Promise<Prediction[]> {
  const body = new Blob(seeds.map(box));
  return await classify(send, "application/octet-stream", body);
}

export async function classify(send: Send, type: string, body: BodyInit, query = ""): Promise<Prediction[]> {
  const response = await send(`/v1/classify?top_k=10${query}`, {
    method: "POST",
    body,
    headers: type === "" ? {} : { "content-type": type },
  });
  return (await read<{ predictions: Prediction[] }>(response)).predictions;
}

export async function assertSame(found: Promise<Prediction[]>, wanted: Prediction[]): Promise<void> {
  const predictions = await found;
  assertEquals(predictions.length, wanted.length);
  for (const [i, prediction] of predictions.entries()) assertSameRanking(prediction.top, wanted[i]!.top);
}

/** The same classes; scores may differ in the last digits, as batches are multiplied in another order. */
export function assertSameRanking(found: Ranked[], wanted: Ranked[]): void {
  assertEquals(found.map(({ label }) => label), wanted.map(({ label }) => label));
  for (const [i, { score }] of found.entries()) assertAlmostEquals(score, wanted[i]!.score, 1e-5);
}

export function post(send: Send, path: string, json: unknown): Promise<Response> {
  return send(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(json),
  });
}

export async function assertError(response: Response, status: number, message: string): Promise<void> {
  const { error, ...rest } = await read<{ error: string }>(response, status);
  assertStringIncludes(error, message);
  assertEquals(rest, {});
}

export const V2 = "/v2/models/fashion-mnist";

export interface Tensor {
  name: string;
  datatype: string;
  shape: number[];
  data?: number[] | string[];
  parameters?: { binary_data_size: number };
}
export interface InferResponse {
  model_name: string;
  model_version: string;
  id?: string;
  outputs: Tensor[];
}

/** A request with box 0 and box 1 as UINT8. */
export function two(): { inputs: [Record<string, unknown>] } {
  const data = [...box(0), ...box(1)];
  return { inputs: [{ name: "image", datatype: "UINT8", shape: [2, 784], data }] };
}

/** JSON, then bytes. */
export async function infer(
  send: Send,
  json: unknown,
  bytes: Uint8Array<ArrayBuffer>,
  length?: string,
): Promise<Response> {
  const head = new TextEncoder().encode(JSON.stringify(json));
  return await send(`${V2}/infer`, {
    method: "POST",
    headers: {
      "content-type": "application/octet-stream",
      "inference-header-content-length": length ?? String(head.length),
    },
    body: new Blob([head, bytes]),
  });
}
