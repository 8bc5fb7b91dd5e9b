/**
 * Artefacts: a folder per model with `model.onnx` and `metrics.json`. A file is written beside its place,
 * checked, and only then renamed over the one before, so there is a good one at every moment.
 *
 * @module
 */
import { describeModel, type Metrics, sha256 } from "../../shared/contract.ts";
import { Classifier } from "../../shared/inference/classifier.ts";
import { writeOnnx } from "../../shared/onnx/write.ts";
import { calibrate, type Calibration, type Scored } from "../evaluation/calibration.ts";
import type { Dataset } from "../dataset/mod.ts";
import { allLogits, type Evaluation, measure } from "../evaluation/evaluation.ts";
import { mlpToOnnx, type ModelInfo } from "./export.ts";
import type { EpochSummary } from "../learning/fit.ts";
import type { LinearWeights } from "../learning/mlp.ts";
import { confidentMistakes, type Mistake } from "../evaluation/mistakes.ts";
import { replaceFile } from "./replace_file.ts";

/** How far ONNX Runtime's logits may be from TensorFlow.js's. */
const TOLERANCE = 1e-4;

/** A model that has been measured and is ready to be written. */
export interface Artifact {
  bytes: Uint8Array<ArrayBuffer>;
  evaluation: Evaluation;
  metrics: Metrics;
  calibration: Calibration;
  /** The mistakes that the model is most sure of. */
  mistakes: Mistake[];
  /** The largest difference between ONNX Runtime's and TensorFlow.js's logits on the test images. */
  maxDifference: number;
  /** Compares once more: to be called with the bytes as they came to lie on the disk. */
  verify(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
}

/**
 * Encodes a model, loads the bytes back with ONNX Runtime, measures them on the test images and holds the
 * logits against those of TensorFlow.js. The temperature is folded into the file: fitted on the held-out
 * images, or else the one of `info`.
 *
 * @param logits TensorFlow.js's for the test images, `[N, classes]`
 * @param held the held-out images, to fit the temperature on; absent if there are none
 * @throws {Error} if the two disagree by more than 1e-4
 */
export async function buildArtifact(
  layers: readonly LinearWeights[],
  logits: Float32Array,
  info: ModelInfo,
  { test }: Dataset,
  validation: Metrics["validation"],
  held?: Scored,
): Promise<Artifact> {
  const draft = await Classifier.load(writeOnnx(mlpToOnnx(layers, info)));
  try {
    const served = await allLogits(draft, test.images);
    const maxDifference = compare(served, logits);
    const evaluation = measure(served, test, info.labels);
    const { images, accuracy, loss } = evaluation;
    const calibration = calibrate({ logits: served, labels: test.labels }, held, info.temperature);
    const { temperature, ece } = calibration;
    const metrics: Metrics = {
      ...(validation && { validation }),
      test: { images, accuracy, loss },
      calibration: { temperature, ece },
    };
    return {
      bytes: writeOnnx(mlpToOnnx(layers, { ...info, temperature, metrics })),
      evaluation,
      metrics,
      calibration,
      mistakes: confidentMistakes({ logits: served, labels: test.labels }, info.labels, temperature),
      maxDifference,
      async verify(bytes): Promise<void> {
        const written = await Classifier.load(bytes);
        compare(await allLogits(written, test.images).finally(() => written.close()), logits);
      },
    };
  } finally {
    await draft.close();
  }
}

function compare(served: Float32Array, logits: Float32Array): number {
  let difference = 0;
  // NaN on either side must fail too, and Math.max keeps it.
  for (let i = 0; i < logits.length; i++) {
    difference = Math.max(difference, Math.abs(logits[i]! - served[i]!));
  }
  if (served.length === logits.length && difference <= TOLERANCE) return difference;
  throw new Error(
    `Cannot export the model as ONNX Runtime and TensorFlow.js must agree on the logits within ` +
      `${TOLERANCE}: current difference is ${difference}`,
  );
}

/**
 * Writes `model.onnx` and `metrics.json` into a folder, making it if need be.
 *
 * @returns the path of the ONNX file
 */
export async function writeArtifact(
  folder: string,
  artifact: Artifact,
  run: { epochs: EpochSummary[]; bestEpoch: number; seconds: number; command?: string },
): Promise<string> {
  const { bytes, evaluation, metrics, calibration, mistakes, maxDifference } = artifact;
  const file = `${folder}/model.onnx`;
  const { name, version, input, provenance } = await describeModel(bytes);
  // What reads this is train/report/metrics.ts.
  const report = {
    name,
    version,
    sha256: await sha256(bytes),
    bytes: bytes.length,
    input,
    ...metrics,
    calibration,
    classes: evaluation.classes,
    confusion: evaluation.confusion,
    mistakes,
    max_logit_difference: maxDifference,
    provenance,
    ...(run.command !== undefined && { command: run.command }),
    best_epoch: run.bestEpoch,
    seconds: Math.round(run.seconds),
    epochs: run.epochs,
  };
  try {
    await Deno.mkdir(folder, { recursive: true });
    await replaceFile(file, bytes, artifact.verify);
    await replaceFile(
      `${folder}/metrics.json`,
      new TextEncoder().encode(toJson(report)),
    );
  } catch (cause) {
    throw new Error(
      `Cannot write the model to "${folder}": ${(cause as Error).message}. Choose another folder with --out`,
      { cause },
    );
  }
  return file;
}

/** JSON for people too: a line for each field, and one for each row of numbers. */
function toJson(value: unknown): string {
  // Only what lies between values is touched: inside a string a line break is written \n.
  const json = JSON.stringify(value, null, 2).replace(
    /\[\n\s+(?:[-+.\de]+,\n\s+)*[-+.\de]+\n\s+\]/g,
    (row) => `[${row.slice(1, -1).trim().replace(/\s+/g, " ")}]`,
  );
  return `${json}\n`;
}

/**
 * Refuses a folder whose model was trained on another data set, so that no try-out replaces a model that
 * is in use.
 *
 * @throws {Error} if there is such a model, or a file that is none of ours
 */
export async function checkDestination(folder: string, dataset: string): Promise<void> {
  const file = `${folder}/model.onnx`;
  let bytes;
  try {
    bytes = await Deno.readFile(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw new Error(`Cannot write the model to "${folder}": ${(error as Error).message}`, { cause: error });
  }
  const there = await describeModel(bytes).then(
    ({ provenance }) => provenance.dataset?.name ?? "an unknown data set",
    () => "something that this program did not write",
  );
  if (there !== dataset) {
    throw new Error(
      `Cannot write the model to "${folder}" as the one there must have been trained on ${dataset} too: ` +
        `it holds ${there}. Choose another --name or --out`,
    );
  }
}
