/**
 * Example pictures beside a model, which the page of the server offers to try: `examples.json`. `train/` writes it and
 * `serve/` reads it.
 *
 * @module
 */
import { InputError } from "./errors.ts";
import { toCamelCase } from "./naming.ts";

/** Name of the file, beside `model.onnx`. */
export const EXAMPLES_FILE = "examples.json";

/** Bytes of the file at most: it is part of the page's first view. */
export const MAX_EXAMPLES_BYTES = 64_000;

/** The formats of the pictures. */
const TYPES: readonly Example["type"][] = ["image/png", "image/jpeg"];

/** One picture. */
export interface Example {
  /** What it shows: a label of the model. */
  label: string;
  /** Its media type. */
  type: "image/png" | "image/jpeg";
  /** The image file in base64. */
  data: string;
}

/** The example pictures of a model. */
export interface Examples {
  /** The version of the model that they were written for. */
  version: string;
  /** What they are and how they were chosen, in one or two sentences. */
  note: string;
  /** How many of what number of pictures of this kind the model classifies correctly. */
  score: { images: number; correct: number };
  /** The pictures, in the order in which they are shown. */
  images: Example[];
}

/**
 * Reads `examples.json`.
 *
 * @throws {InputError} `invalid-format` if it is not such a file, `too-large` if it exceeds
 * {@linkcode MAX_EXAMPLES_BYTES}
 */
export function parseExamples(text: string): Examples {
  if (text.length > MAX_EXAMPLES_BYTES) {
    throw new InputError(
      "too-large",
      `Cannot read ${EXAMPLES_FILE} as it must have at most ${MAX_EXAMPLES_BYTES} bytes: ` +
        `current value is ${text.length}`,
    );
  }
  let value: unknown;
  try {
    value = toCamelCase(JSON.parse(text));
  } catch (cause) {
    throw new InputError("invalid-format", `Cannot read ${EXAMPLES_FILE} as it is not JSON`, { cause });
  }
  if (!isExamples(value)) {
    throw new InputError(
      "invalid-format",
      `Cannot read ${EXAMPLES_FILE} as it must have a version, a note, a score and images`,
    );
  }
  return value;
}

function isExamples(value: unknown): value is Examples {
  const { version, note, score, images } = (value ?? {}) as Partial<Examples>;
  return typeof version === "string" && typeof note === "string" &&
    Number.isInteger(score?.images) && Number.isInteger(score?.correct) &&
    Array.isArray(images) &&
    images.every((image) =>
      typeof image?.label === "string" && TYPES.includes(image.type) && typeof image.data === "string"
    );
}
