/**
 * `metrics.json`: all that is known about a run, for programs. The picture-makers, the model card and
 * `deno task compare` read nothing else, so a report can be made again wherever that file is.
 *
 * @module
 */
import { BINS } from "../evaluation/calibration.ts";
import { anything, list, number, object, text, whole } from "./check.ts";

const share = number(0, 1);
const loss = number(0);
const score = object({ accuracy: share, loss });
const countedScore = object({ images: whole(1), accuracy: share, loss });
const bins = list(object({ images: whole(), confidence: share, accuracy: share }), BINS);
const shares = object({ before: share, after: share });
const losses = object({ before: loss, after: loss });

const metrics = object({
  name: text,
  /** The first 12 hexadecimal digits of the ONNX file's SHA-256. */
  version: text,
  sha256: text,
  /** Size of the ONNX file. */
  bytes: whole(1),
  test: countedScore,
  /** In the order of the model's outputs. */
  classes: list(object({ label: text, precision: share, recall: share, f1: share, images: whole() })),
  /** `confusion[actual][predicted]`, in images of the test split. */
  confusion: list(list(whole())),
  max_logit_difference: number(0),
  provenance: object({
    dataset: object({ name: text, sha256: text }),
    recipe: anything,
    seed: whole(),
    backend: text,
    codeVersion: text,
  }),
  /** Wall time of the training. */
  seconds: number(0),
  epochs: list(
    object(
      { epoch: whole(1), trainLoss: loss, learningRate: number(0), imagesPerSecond: number(0) },
      { validation: score },
    ),
  ),
}, {
  /** The epoch with the best validation accuracy, from 1 up; absent if there are no validation images. */
  best_epoch: whole(1),
  /** On the held-out images; absent if there were none. */
  validation: countedScore,
  /** One input image. */
  input: object({ channels: whole(1), height: whole(1), width: whole(1) }),
  /** {@linkcode import("../evaluation/calibration.ts").Calibration}; absent before version 0.2.0. */
  calibration: object(
    {
      temperature: number(Number.MIN_VALUE),
      ece: shares,
      loss: losses,
      bins: object({ before: bins, after: bins }),
    },
    { validation: object({ images: whole(1), ece: shares, loss: losses }) },
  ),
  /** {@linkcode import("../evaluation/mistakes.ts").Mistake}, the most confident first; absent before version 0.2.0. */
  mistakes: list(object({ index: whole(), actual: text, predicted: text, score: share })),
  /** The command that made the model, without paths. */
  command: text,
});

/** The contents of a `metrics.json`. */
export type RunMetrics = ReturnType<typeof metrics>;

/**
 * Parses a `metrics.json`.
 *
 * @param file named in the errors
 * @throws {SyntaxError} if the text is no JSON
 * @throws {TypeError} if a field is missing, of another type, or does not fit the others
 * @throws {RangeError} if a number is out of its range
 */
export function parseMetrics(json: string, file: string): RunMetrics {
  const opening = `Cannot use "${file}"`;
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new SyntaxError(`${opening} as it must be JSON: ${(cause as Error).message}`, { cause });
  }
  let run: RunMetrics;
  try {
    run = metrics(value, "");
  } catch (error) {
    // The kind of the error is worth keeping; where it happened is known only here.
    (error as Error).message = `${opening} as ${(error as Error).message}`;
    throw error;
  }
  checkAgreement(run, opening);
  return run;
}

/**
 * Reads the `metrics.json` of a run.
 *
 * @param path the file, or the folder that it is in
 * @throws {Error} if it cannot be read, and what {@linkcode parseMetrics} throws
 */
export async function readMetrics(path: string): Promise<RunMetrics> {
  const file = path.endsWith(".json") ? path : `${path.replace(/\/+$/, "")}/metrics.json`;
  let json;
  try {
    json = await Deno.readTextFile(file);
  } catch (cause) {
    const why = cause instanceof Deno.errors.NotFound ? "there is no such file" : (cause as Error).message;
    throw new Error(`Cannot read "${file}" as ${why}. Make one with deno task train`, { cause });
  }
  return parseMetrics(json, file);
}

/** What a report would otherwise draw wrongly in silence. */
function checkAgreement(
  { classes, confusion, test, epochs, best_epoch, mistakes }: RunMetrics,
  opening: string,
): void {
  const count = classes.length;
  if (count < 2) {
    throw new TypeError(`${opening} as there must be two or more classes: current count is ${count}`);
  }
  const labels = new Set(classes.map(({ label }) => label));
  if (confusion.length !== count || confusion.some((row) => row.length !== count)) {
    throw new TypeError(
      `${opening} as confusion must be ${count}×${count}, a row and a column for each class: ` +
        `current size is ${confusion.length}×${
          confusion.find((row) => row.length !== count)?.length ?? count
        }`,
    );
  }
  const counted = confusion.flat().reduce((sum, n) => sum + n, 0);
  if (counted !== test.images) {
    throw new TypeError(
      `${opening} as confusion must hold the ${test.images} test images: current sum is ${counted}`,
    );
  }
  if (best_epoch !== undefined && best_epoch > epochs.length) {
    throw new RangeError(
      `${opening} as best_epoch must be one of the ${epochs.length} epochs: current value is ${best_epoch}`,
    );
  }
  for (const { index, actual, predicted } of mistakes ?? []) {
    if (index >= test.images) {
      throw new RangeError(
        `${opening} as mistakes must be among the ${test.images} test images: current index is ${index}`,
      );
    }
    const stranger = [actual, predicted].find((label) => !labels.has(label));
    if (stranger !== undefined) {
      throw new TypeError(
        `${opening} as mistakes must name classes of the model: current value is "${stranger}"`,
      );
    }
  }
}
