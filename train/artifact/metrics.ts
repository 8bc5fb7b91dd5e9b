/**
 * `metrics.json`: everything about a run, for programs. The plots, the model card and `deno task compare` read
 * nothing else, so a report can be made again from this file. Its keys are in snake_case.
 *
 * @module
 */
import * as v from "valibot";
import { InputError } from "../../shared/errors.ts";
import { toCamelCase, toSnakeCase } from "../../shared/naming.ts";
import { BINS } from "../evaluation/calibration.ts";

// The messages complete "… must be".
const text = v.string("text");
const share = range(0, 1, "a number in 0..1");
const positive = range(0, Number.MAX_VALUE, "a number from 0 up");

const score = object({ accuracy: share, loss: positive });
const countedScore = object({ images: whole(1), accuracy: share, loss: positive });
const bins = v.pipe(
  list(object({ images: whole(0), confidence: share, accuracy: share })),
  v.length(BINS, `a list of ${BINS}`),
);
const shares = object({ before: share, after: share });
const losses = object({ before: positive, after: positive });

const schema = object({
  name: text,
  /** The first 12 hexadecimal digits of the ONNX file's SHA-256. */
  version: text,
  sha256: text,
  /** Size of the ONNX file. */
  bytes: whole(1),
  /** Shape of one input image. */
  input: object({ channels: whole(1), height: whole(1), width: whole(1) }),
  /** On the validation images, or on all training images by cross-validation; absent if there are none. */
  validation: v.exactOptional(
    object({ images: whole(1), accuracy: share, loss: positive, folds: v.exactOptional(whole(2)) }),
  ),
  test: countedScore,
  /** {@linkcode import("../evaluation/calibration.ts").Calibration} */
  calibration: object({
    temperature: v.pipe(v.number("a number above 0"), v.gtValue(0, "a number above 0")),
    ece: shares,
    loss: losses,
    bins: object({ before: bins, after: bins }),
    validation: v.exactOptional(object({ images: whole(1), ece: shares, loss: losses })),
  }),
  /** {@linkcode import("../familiarity/measure.ts").FamiliarityMetrics}; absent for a model without that output. */
  familiarity: v.exactOptional(object({
    threshold: share,
    kept: share,
    validation: object({ images: whole(1), kept: share }),
    test: object({ kept: share, accuracy: v.exactOptional(share), ece: v.exactOptional(share) }),
    thresholds: list(share),
    rejected: list(share),
    outliers: list(object({
      family: text,
      chosenBy: v.boolean("true or false"),
      images: whole(1),
      auroc: share,
      rejected: list(share),
    })),
    maxDifference: positive,
    seconds: positive,
  })),
  /** In the order of the model's outputs. */
  classes: list(object({ label: text, precision: share, recall: share, f1: share, images: whole(0) })),
  /** `confusion[actual][predicted]`, in images of the test split. */
  confusion: list(list(whole(0))),
  /** {@linkcode import("../evaluation/mistakes.ts").Mistake}, the most confident first. */
  mistakes: list(object({ index: whole(0), actual: text, predicted: text, score: share })),
  /** Largest difference between ONNX Runtime's and TensorFlow.js's logits. */
  maxLogitDifference: positive,
  provenance: object({
    dataset: object({ name: text, sha256: text, splitSeed: v.exactOptional(whole(0)) }),
    backbone: v.exactOptional(object({
      name: text,
      sha256: text,
      features: list(text),
      size: whole(1),
      store: text,
      licence: v.exactOptional(text),
      source: v.exactOptional(text),
    })),
    recipe: v.custom<Record<string, unknown>>(
      (value) => typeof value === "object" && value !== null && !Array.isArray(value),
      "an object",
    ),
    seed: whole(0),
    backend: text,
    codeVersion: text,
  }),
  /** The command that made the model, without paths. */
  command: v.exactOptional(text),
  /** The epoch with the best validation accuracy, from 1 up; absent if there are no validation images. */
  bestEpoch: v.exactOptional(whole(1)),
  /** Wall time of the training. */
  seconds: positive,
  epochs: list(object({
    epoch: whole(1),
    trainLoss: positive,
    learningRate: positive,
    imagesPerSecond: positive,
    validation: v.exactOptional(score),
  })),
});

/** The contents of a `metrics.json`, with names in camelCase. */
export type RunMetrics = v.InferOutput<typeof schema>;

/** The text of a `metrics.json`: one line for each field, and one for each row of numbers. */
export function formatMetrics(run: RunMetrics): string {
  // Only white space between values matches: within a string, a line break is written \n.
  const json = JSON.stringify(toSnakeCase(run), null, 2).replace(
    /\[\n\s+(?:[-+.\de]+,\n\s+)*[-+.\de]+\n\s+\]/g,
    (row) => `[${row.slice(1, -1).trim().replace(/\s+/g, " ")}]`,
  );
  return `${json}\n`;
}

/**
 * Parses a `metrics.json`.
 *
 * @param file name for the errors
 * @throws {InputError} `invalid-format` if the text is not JSON, a field is missing, of another type or out of its
 * range, or fields contradict each other
 */
export function parseMetrics(json: string, file: string): RunMetrics {
  const fail = (why: string, options?: ErrorOptions): InputError =>
    new InputError("invalid-format", `Cannot use "${file}" as ${why}`, options);
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw fail(`it must be JSON: ${(cause as Error).message}`, { cause });
  }
  const { success, output, issues } = v.safeParse(schema, toCamelCase(value));
  if (!success) throw fail(describeIssue(issues[0]));
  const contradiction = findContradiction(output);
  if (contradiction !== undefined) throw fail(contradiction);
  return output;
}

/**
 * Reads the `metrics.json` of a run.
 *
 * @param path the file, or its folder
 * @throws {InputError} `not-found` if there is none, and what {@linkcode parseMetrics} throws
 */
export async function readMetrics(path: string): Promise<RunMetrics> {
  const file = path.endsWith(".json") ? path : `${path.replace(/\/+$/, "")}/metrics.json`;
  let json;
  try {
    json = await Deno.readTextFile(file);
  } catch (cause) {
    const why = cause instanceof Deno.errors.NotFound ? "there is no such file" : (cause as Error).message;
    throw new InputError("not-found", `Cannot read "${file}" as ${why}`, {
      cause,
      hint: "Train one with deno task train",
    });
  }
  return parseMetrics(json, file);
}

function range(min: number, max: number, message: string): v.GenericSchema<number> {
  return v.pipe(v.number(message), v.minValue(min, message), v.maxValue(max, message));
}

function whole(min: number): v.GenericSchema<number> {
  const message = `a whole number from ${min} up`;
  return v.pipe(v.number(message), v.safeInteger(message), v.minValue(min, message));
}

function list<T extends v.GenericSchema>(item: T): v.ArraySchema<T, string> {
  return v.array(item, "a list");
}

function object<T extends v.ObjectEntries>(entries: T): v.ObjectSchema<T, string> {
  return v.object(entries, "an object");
}

/** `test.accuracy must be a number in 0..1: current value is "high"`, with the names of the file. */
function describeIssue({ path, message, input }: v.BaseIssue<unknown>): string {
  const name =
    (path ?? []).map(({ key }) =>
      typeof key === "number" ? `[${key}]` : `.${Object.keys(toSnakeCase({ [String(key)]: 0 }) as object)[0]}`
    ).join("").replace(/^\./, "") || "it";
  if (input === undefined) return `${name} must be present`;
  const shown = JSON.stringify(input);
  return `${name} must be ${message}: current value is ${
    shown.length > 80 ? `${shown.slice(0, 80)}…` : shown
  }`;
}

/** A contradiction between fields, which would make a report wrong. */
function findContradiction(
  { classes, confusion, test, epochs, bestEpoch, mistakes, familiarity }: RunMetrics,
): string | undefined {
  const { length } = classes;
  if (length < 2) return `there must be two or more classes: current count is ${length}`;
  const wrongRow = confusion.find((row) => row.length !== length);
  if (confusion.length !== length || wrongRow) {
    return `confusion must be ${length}×${length}, a row and a column for each class: ` +
      `current size is ${confusion.length}×${wrongRow?.length ?? length}`;
  }
  const counted = confusion.flat().reduce((sum, n) => sum + n, 0);
  if (counted !== test.images) {
    return `confusion must add up to the ${test.images} test images: current sum is ${counted}`;
  }
  if (bestEpoch !== undefined && bestEpoch > epochs.length) {
    return `best_epoch must be one of the ${epochs.length} epochs: current value is ${bestEpoch}`;
  }
  if (familiarity) {
    const { thresholds, rejected, outliers } = familiarity;
    const curve = [{ rejected }, ...outliers].find(({ rejected }) => rejected.length !== thresholds.length);
    if (curve) {
      return `familiarity must have a rejected share for each of the ${thresholds.length} thresholds: ` +
        `current count is ${curve.rejected.length}`;
    }
  }
  const labels = new Set(classes.map(({ label }) => label));
  for (const { index, actual, predicted } of mistakes) {
    if (index >= test.images) {
      return `mistakes must be among the ${test.images} test images: current index is ${index}`;
    }
    const unknown = [actual, predicted].find((label) => !labels.has(label));
    if (unknown !== undefined) {
      return `mistakes must name classes of the model: current value is "${unknown}"`;
    }
  }
  return undefined;
}
