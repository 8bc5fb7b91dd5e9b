/**
 * `POST /v2/models/{model}[/versions/{version}]/infer`: the Open Inference Protocol
 * (https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md) with
 * Triton's extensions for classification and for tensors as bytes
 * (https://github.com/triton-inference-server/server/tree/main/docs/protocol).
 *
 * The input may have the model's own shape, or a shape without the channel or with all sides flattened:
 * `[N, 1, 28, 28]`, `[N, 28, 28]` and `[N, 784]`. FP32 is what the model takes, in 0..1; UINT8 is divided by 255.
 *
 * @module
 */
import { InputError } from "../../shared/errors.ts";
import type { Context, Handler } from "hono";
import { type ImageShape, INPUT, LOGITS, PROBABILITIES } from "../../shared/contract.ts";
import type { Classifier, Scores } from "../../shared/inference/classifier.ts";
import type { Config } from "../config.ts";
import type { AppEnv } from "../context.ts";
import { limitImages } from "../decode/batch.ts";
import { parseJson } from "../decode/json.ts";
import { readBinary, readData, writeFloats, writeStrings } from "../decode/tensor.ts";
import { Problem } from "../problem.ts";
import { InferRequest } from "../openapi/schemas.ts";
import { validate } from "../openapi/validate.ts";
import type { Service } from "../protocols/protocol.ts";
import { answer } from "./answer.ts";
import { mostClasses } from "./options.ts";

/** The header with the length of the JSON; bytes follow it. */
const JSON_LENGTH = "inference-header-content-length";

type Parameters = Record<string, string | number | boolean>;

/** A requested output. */
interface Wanted {
  name: typeof LOGITS | typeof PROBABILITIES;
  binary: boolean;
  /** Number of classes to return as `"score:index:label"`; 0 for the raw numbers. */
  classes: number;
}

interface Request {
  pixels: Float32Array;
  id: string | undefined;
  outputs: Wanted[];
}

/** An output in the response; binary outputs have no `data`. */
interface Output {
  name: string;
  datatype: "FP32" | "BYTES";
  shape: number[];
  data?: number[] | string[];
  parameters?: { binary_data_size: number };
}

export function infer(service: Service): Handler<AppEnv> {
  return async (c): Promise<Response> =>
    await answer<Request>(c, service, {
      read(body, classifier): Request {
        checkModel(c, classifier);
        return readRequest(body, c.req.header(JSON_LENGTH), classifier, service.config);
      },
      write: writeResponse,
    });
}

function readRequest(
  body: Uint8Array,
  jsonLength: string | undefined,
  classifier: Classifier,
  config: Config,
): Request {
  const end = jsonLength === undefined ? body.length : readLength(jsonLength, body.length);
  const { id, inputs, outputs, parameters = {} } = validate(
    InferRequest,
    parseJson(body.subarray(0, end)),
    "the request",
  );
  const [input] = inputs;
  if (inputs.length > 1 || input!.name !== INPUT) {
    throw new InputError(
      "invalid-value",
      `Cannot infer as the model has one input, ${JSON.stringify(INPUT)}: current inputs are ${
        JSON.stringify(inputs.map(({ name }) => name.slice(0, 40)))
      }`,
    );
  }
  const pixels = readInput(input!, body.subarray(end), classifier, config);
  const binary = readFlag(parameters, "binary_data_output") ?? false;
  return { pixels, id, outputs: readOutputs(outputs, binary, classifier, config) };
}

function readLength(value: string, most: number): number {
  const length = /^[0-9]{1,15}$/.test(value) ? Number(value) : NaN;
  if (length <= most) return length;
  throw new InputError(
    "invalid-value",
    `Cannot read the request as Inference-Header-Content-Length must be an integer in 0..${most}: ` +
      `current value is ${JSON.stringify(value.slice(0, 40))}`,
  );
}

interface Input {
  shape: number[];
  datatype: "FP32" | "UINT8";
  parameters?: Parameters | undefined;
  data?: unknown[] | undefined;
}

function readInput(
  { shape, datatype, parameters = {}, data }: Input,
  rest: Uint8Array,
  { description }: Classifier,
  { maxBatchSize }: Config,
): Float32Array {
  const legal = shapesOf(description.input);
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
function shapesOf({ channels, height, width }: ImageShape): number[][] {
  const shapes = [[channels, height, width], [channels * height * width]];
  return channels === 1 ? [...shapes, [height, width]] : shapes;
}

function readOutputs(
  asked: { name: string; parameters?: Parameters | undefined }[] | undefined,
  binary: boolean,
  classifier: Classifier,
  config: Config,
): Wanted[] {
  const names = [LOGITS, PROBABILITIES] as const;
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
      classes: readClasses(parameters, classifier, config),
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

function readClasses({ classification }: Parameters, classifier: Classifier, config: Config): number {
  if (classification === undefined) return 0;
  if (!Number.isInteger(classification) || (classification as number) < 1) {
    throw new InputError(
      "invalid-value",
      `Cannot infer as classification must be an integer of at least 1: current value is ${
        show(classification)
      }`,
    );
  }
  // As in Triton, more classes than the model has return all.
  return Math.min(classification as number, mostClasses(classifier, config));
}

function show(value: string | number | boolean): string {
  return JSON.stringify(value).slice(0, 40);
}

function writeResponse(scores: Scores, { id, outputs }: Request, classifier: Classifier): Response {
  const { name, version, labels } = classifier.description;
  const parts: Uint8Array<ArrayBuffer>[] = [];
  const written = outputs.map(({ name, binary, classes }): Output => {
    const values = scores[name];
    const count = values.length / labels.length;
    const texts = classes > 0 ? writeClasses(values, classes, classifier) : undefined;
    const head = texts
      ? { name, datatype: "BYTES" as const, shape: [count, classes] }
      : { name, datatype: "FP32" as const, shape: [count, labels.length] };
    if (!binary) return { ...head, data: texts ?? Array.from(values) };
    const bytes = texts ? writeStrings(texts) : writeFloats(values);
    parts.push(bytes);
    return { ...head, parameters: { binary_data_size: bytes.length } };
  });
  const json = {
    model_name: name,
    model_version: version,
    ...(id !== undefined && { id }),
    outputs: written,
  };
  if (parts.length === 0) return Response.json(json);
  const head = new TextEncoder().encode(JSON.stringify(json));
  return new Response(new Blob([head, ...parts]), {
    headers: { "content-type": "application/octet-stream", [JSON_LENGTH]: String(head.length) },
  });
}

/** `"score:index:label"`, the score with six decimals as Triton prints it. */
function writeClasses(values: Float32Array, classes: number, classifier: Classifier): string[] {
  return classifier.top(values, classes).flat().map(({ score, classIndex, label }) =>
    `${score.toFixed(6)}:${classIndex}:${label}`
  );
}

/** @throws {Problem} 404 if the request names another model or version */
export function checkModel(c: Context<AppEnv>, { description: { name, version } }: Classifier): void {
  const model = c.req.param("model"), asked = c.req.param("version");
  if (model !== name) throw unknown("model", model ?? "", name);
  if (asked !== undefined && asked !== version) throw unknown("version", asked, version);
}

function unknown(what: string, asked: string, name: string): Problem {
  return new Problem(
    404,
    `Unknown ${what} ${JSON.stringify(asked.slice(0, 80))}: this server has ${JSON.stringify(name)}`,
  );
}
