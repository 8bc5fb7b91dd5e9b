/**
 * Building blocks of the OpenAPI document (https://spec.openapis.org/oas/v3.1.1.html), for the tables of routes.
 *
 * @module
 */
import type { Config } from "../config.ts";
import type * as schemas from "./schemas.ts";

/** JSON. */
export type Json = Record<string, unknown>;

/** The sections of the document. */
export type Tag = "Native" | "Hugging Face" | "Open Inference Protocol" | "Operation";

/** One method of one path, with the fields that we use. */
export interface Operation {
  tags: [Tag];
  /** The name of the function in generated clients. */
  operationId: string;
  summary: string;
  description?: string;
  parameters?: Json[];
  requestBody?: { required: boolean; content: Record<string, Json> };
  responses: Record<string, { description: string; headers?: Json; content?: Record<string, Json> }>;
}

/** What a status of {@linkcode problems} and {@linkcode errors} means. */
const FAILURES = {
  400: "Malformed request",
  401: "The API key is missing or invalid, if the server requires one",
  403: "The server has no API keys, which this needs",
  404: "Unknown model, version or file",
  408: "The body took too long to arrive",
  413: "The body, an image or the batch is too large",
  415: "The body has an unsupported media type or coding, or an image an unsupported format",
  416: "The file has none of the bytes of the range",
  422: "The images are blank: each has only one colour, or nothing stands out from its background",
  429: "Too many requests of this client: retry after `Retry-After` seconds",
  507: "There is no room for more pictures",
  503: "The model is not ready, or the server is busy: retry after `Retry-After` seconds",
} as const;
type Failure = keyof typeof FAILURES;

/** The body is bytes: generated clients take a Blob. */
export const BINARY: Json = { schema: { type: "string", format: "binary", minLength: 1 } };

/** The body is text. */
export const TEXT: Json = { schema: { type: "string" } };

/** The image formats, as content of a request. */
export const IMAGES: Record<string, Json> = {
  "image/png": BINARY,
  "image/jpeg": BINARY,
  "image/webp": BINARY,
};

/** An example of an image file: a shape with two legs, 28×28 pixels, as base64. */
export const EXAMPLE_PICTURE =
  "iVBORw0KGgoAAAANSUhEUgAAABwAAAAcAQAAAABaduI5AAAAFElEQVR4nGNgQAP1HwgSFVQmYAAAl4AgilSS1jQAAAAASUVORK5CYII=";

/** Refers to a schema. */
export function ref(name: keyof typeof schemas): Json {
  return { $ref: `#/components/schemas/${name}` };
}

/** A response of JSON. */
export function json(
  name: keyof typeof schemas,
  description: string,
  mediaType = "application/json",
): Operation["responses"][string] {
  return { description, content: { [mediaType]: { schema: ref(name) } } };
}

/** Responses that are problem documents. */
export function problems(...statuses: Failure[]): Operation["responses"] {
  return Object.fromEntries(
    statuses.map((status) => [status, json("Problem", FAILURES[status], "application/problem+json")]),
  );
}

/** Every other failure, such as a bug. */
export function otherFailure(isPlain: boolean): Operation["responses"][string] {
  const description = "Any other failure, such as 500 for a bug";
  return isPlain ? json("PlainError", description) : json("Problem", description, "application/problem+json");
}

/** Responses that are `{"error": …}`. */
export function errors(...statuses: Failure[]): Operation["responses"] {
  return Object.fromEntries(statuses.map((status) => [status, json("PlainError", FAILURES[status])]));
}

/** An optional parameter of the query. */
export function query(name: string, schema: Json, description: string): Json {
  return { name, in: "query", required: false, schema, description };
}

/** A parameter of the path. */
export function path(name: string, description: string): Json {
  return { name, in: "path", required: true, schema: { type: "string" }, description };
}

/** The limits of a request, in a sentence. */
export function limitsOf({ maxBodyBytes, maxBatchSize, maxPixels }: Config): string {
  return `At most ${maxBodyBytes} bytes, ${maxBatchSize} images, and ${maxPixels} pixels per image file.`;
}
