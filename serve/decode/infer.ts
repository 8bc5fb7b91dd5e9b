/**
 * The bodies of `POST /v2/models/{model}/infer`.
 *
 * The input may have the model's own shape, or a shape without the channel or with all sides flattened:
 * `[N, 1, 28, 28]`, `[N, 28, 28]` and `[N, 784]`. FP32 is what the model takes, in 0..1, and FP64 is rounded to it;
 * UINT8, INT32 and INT64 in 0..255 are divided by 255.
 *
 * @module
 */
import {
  FAMILIARITY,
  type ImageShape,
  INPUT,
  LOGITS,
  type ModelDescription,
  PROBABILITIES,
} from "../../shared/contract.ts";
import { InputError } from "../../shared/errors.ts";
import { InferRequest as InferSchema } from "../openapi/schemas.ts";
import { validate } from "../openapi/validate.ts";
import { limitImages } from "./batch.ts";
import { parseJson } from "./json.ts";
import type { ModelInput, Task, Turn } from "./task.ts";
import { type Datatype, readBinary, readData } from "./tensor.ts";

type Parameters = Record<string, string | number | boolean>;

export type OutputName = typeof LOGITS | typeof PROBABILITIES | typeof FAMILIARITY;

/** The outputs of a model, in their order, each with its shape without N. */
export function outputsOf(
  { labels, familiarity }: ModelDescription,
): { name: OutputName; shape: readonly number[] }[] {
  return [
    { name: LOGITS, shape: [labels.length] },
    { name: PROBABILITIES, shape: [labels.length] },
    ...(familiarity ? [{ name: FAMILIARITY, shape: [] } as const] : []),
  ];
}

/** A requested output. */
export interface Wanted {
  name: OutputName;
  binary: boolean;
  /** Number of classes to return as `"score:index:label"`; 0 for the raw numbers. */
  classes: number;
}

export interface InferRequest {
  /** `[N, imageSize]` in 0..1 */
  pixels: Float32Array;
  id: string | undefined;
  outputs: Wanted[];
}

/** @throws {InputError} if the request is wrong */
export async function readInferRequest(
  { body, jsonLength, model, limits }: Task,
  turn: Turn,
): Promise<InferRequest> {
  const end = jsonLength === undefined ? body.length : readLength(jsonLength, body.length);
  const json = parseJson(body.subarray(0, end), limits.maxBatchSize * model.imageSize);
  await turn();
  const { id, inputs, outputs, parameters = {} } = validate(InferSchema, json, "the request");
  const [input] = inputs;
  if (inputs.length > 1 || input!.name !== INPUT) {
    throw new InputError(
      "invalid-value",
      `Cannot infer as the model has one input, ${JSON.stringify(INPUT)}: current inputs are ${
        JSON.stringify(inputs.map(({ name }) => name.slice(0, 40)))
      }`,
    );
  }
  const pixels = readInput(input!, body.subarray(end), model, limits);
  const binary = readFlag(parameters, "binary_data_output") ?? false;
  return { pixels, id, outputs: readOutputs(outputs, binary, model, limits) };
}

function readLength(value: string, most: number): number {
  const length = /^[0-9]{1,15}$/.test(value) ? Number(value) : NaN;
  if (length >= 1 && length <= most) return length;
  throw new InputError(
    "invalid-value",
    `Cannot read the request as Inference-Header-Content-Length must be an integer in 1..${most}: ` +
      `current value is ${JSON.stringify(value.slice(0, 40))}`,
  );
}

interface Input {
  shape: number[];
  datatype: Datatype;
  parameters?: Parameters | undefined;
  data?: unknown[] | undefined;
}

function readInput(
  { shape, datatype, parameters = {}, data }: Input,
  rest: Uint8Array,
  { input }: ModelInput,
  { maxBatchSize }: Task["limits"],
): Float32Array {
  const legal = shapesOf(input);
  const [count, ...sides] = shape;
  if (!legal.some((one) => one.length === sides.length && one.every((side, i) => side === sides[i]))) {
    const shapes = legal.map((one) => `[N, ${one.join(", ")}]`).join(" or ");
    throw new InputError(
      "invalid-value",
      `Cannot read the tensor as its shape must be ${shapes}: current value is [${shape.join(", ")}]`,
    );
  }
  limitImages(count!, maxBatchSize);
  const size = parameters.binary_data_size;
  if (size === undefined) {
    if (rest.length > 0) {
      throw new InputError(
        "invalid-value",
        `Cannot read the tensor as it has no binary_data_size, but ${rest.length} bytes follow the JSON`,
      );
    }
    if (data === undefined) {
      throw new InputError(
        "invalid-value",
        "Cannot read the tensor as it has neither data nor binary_data_size",
      );
    }
    return readData(data, shape, datatype);
  }
  if (data !== undefined) {
    throw new InputError("invalid-value", "Cannot read the tensor as it has both data and binary_data_size");
  }
  if (size !== rest.length) {
    throw new InputError(
      "invalid-value",
      `Cannot read the tensor as its binary_data_size must be the ${rest.length} bytes that follow the JSON: ` +
        `current value is ${JSON.stringify(size)}`,
    );
  }
  return readBinary(rest, shape, datatype);
}

/** The shapes of an image, without N. */
export function shapesOf({ channels, height, width }: ImageShape): number[][] {
  const shapes = [[channels, height, width], [channels * height * width]];
  return channels === 1 ? [...shapes, [height, width]] : shapes;
}

function readOutputs(
  asked: { name: string; parameters?: Parameters | undefined }[] | undefined,
  binary: boolean,
  { outputs: names, classes }: ModelInput,
  { maxTopK }: Task["limits"],
): Wanted[] {
  if (!asked || asked.length === 0) return names.map((name) => ({ name, binary, classes: 0 }));
  const wanted = asked.map(({ name: given, parameters = {} }): Wanted => {
    const name = names.find((name) => name === given);
    if (!name) {
      throw new InputError(
        "invalid-value",
        `Cannot infer as the model's outputs are ${JSON.stringify(names)}: ` +
          `current value is ${JSON.stringify(given.slice(0, 40))}`,
      );
    }
    return {
      name,
      binary: readFlag(parameters, "binary_data") ?? binary,
      classes: readClasses(name, parameters, Math.min(classes, maxTopK)),
    };
  });
  if (new Set(wanted.map(({ name }) => name)).size < wanted.length) {
    throw new InputError("invalid-value", "Cannot infer as an output is requested twice");
  }
  return wanted;
}

function readFlag(parameters: Parameters, name: string): boolean | undefined {
  const value = parameters[name];
  if (value === undefined || typeof value === "boolean") return value;
  throw new InputError(
    "invalid-value",
    `Cannot infer as ${name} must be true or false: current value is ${show(value)}`,
  );
}

function readClasses(name: OutputName, { classification }: Parameters, most: number): number {
  if (classification === undefined) return 0;
  if (name === FAMILIARITY) {
    throw new InputError(
      "invalid-value",
      `Cannot infer as ${FAMILIARITY} has no classes: remove its parameter classification`,
    );
  }
  if (!Number.isInteger(classification) || (classification as number) < 1) {
    throw new InputError(
      "invalid-value",
      `Cannot infer as classification must be an integer of at least 1: current value is ${
        show(classification)
      }`,
    );
  }
  // As in Triton, more classes than the model has return all.
  return Math.min(classification as number, most);
}

function show(value: string | number | boolean): string {
  return JSON.stringify(value).slice(0, 40);
}
