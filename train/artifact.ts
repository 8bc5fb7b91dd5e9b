/**
 * Artefacts: a folder per model with `model.onnx` and `metrics.json`. A file is written beside its place,
 * checked, and only then renamed over the one before, so there is a good one at every moment.
 *
 * @module
 */
import { describeModel, type Metrics, sha256 } from "../shared/contract.ts";
import { Classifier } from "../shared/inference/classifier.ts";
import { writeOnnx } from "../shared/onnx/write.ts";
import type { Dataset } from "./dataset/mod.ts";
import { allLogits, evaluate, type Evaluation } from "./evaluation.ts";
import { mlpToOnnx, type ModelInfo } from "./export.ts";
import type { EpochSummary } from "./fit.ts";
import type { LinearWeights } from "./mlp.ts";

/** How far ONNX Runtime's logits may be from TensorFlow.js's. */
const TOLERANCE = 1e-4;

/** A model that has been measured and is ready to be written. */
export interface Artifact {
  bytes: Uint8Array<ArrayBuffer>;
  evaluation: Evaluation;
  metrics: Metrics;
  /** The largest difference between ONNX Runtime's and TensorFlow.js's logits on the test images. */
  maxDifference: number;
  /** Compares once more: to be called with the bytes as they came to lie on the disk. */
  verify(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
}

/**
 * Encodes a model, loads the bytes back with ONNX Runtime, measures them on the test images and holds the
 * logits against those of TensorFlow.js.
 *
 * @param logits TensorFlow.js's for the test images, `[N, classes]`
 * @throws {Error} if the two disagree by more than 1e-4
 */
export async function buildArtifact(
  layers: readonly LinearWeights[],
  logits: Float32Array,
  info: ModelInfo,
  { test }: Dataset,
  validation: Metrics["validation"],
): Promise<Artifact> {
  const draft = await Classifier.load(writeOnnx(mlpToOnnx(layers, info)));
  try {
    const maxDifference = await compare(draft, test.images, logits);
    const evaluation = await evaluate(draft, test);
    const { images, accuracy, loss } = evaluation;
    const metrics: Metrics = { ...(validation && { validation }), test: { images, accuracy, loss } };
    return {
      bytes: writeOnnx(mlpToOnnx(layers, { ...info, metrics })),
      evaluation,
      metrics,
      maxDifference,
      async verify(bytes): Promise<void> {
        const written = await Classifier.load(bytes);
        await compare(written, test.images, logits).finally(() => written.close());
      },
    };
  } finally {
    await draft.close();
  }
}

async function compare(classifier: Classifier, images: Uint8Array, logits: Float32Array): Promise<number> {
  const served = await allLogits(classifier, images);
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
  run: { epochs: EpochSummary[]; bestEpoch: number; seconds: number },
): Promise<string> {
  const { bytes, evaluation, metrics, maxDifference } = artifact;
  const file = `${folder}/model.onnx`;
  const { name, version, provenance } = await describeModel(bytes);
  const report = {
    name,
    version,
    sha256: await sha256(bytes),
    bytes: bytes.length,
    ...metrics,
    classes: evaluation.classes,
    confusion: evaluation.confusion,
    max_logit_difference: maxDifference,
    provenance,
    best_epoch: run.bestEpoch,
    seconds: Math.round(run.seconds),
    epochs: run.epochs,
  };
  try {
    await Deno.mkdir(folder, { recursive: true });
    await replaceFile(file, bytes, artifact.verify);
    await replaceFile(
      `${folder}/metrics.json`,
      new TextEncoder().encode(JSON.stringify(report, null, 2) + "\n"),
    );
  } catch (cause) {
    throw new Error(
      `Cannot write the model to "${folder}": ${(cause as Error).message}. Choose another folder with --out`,
      { cause },
    );
  }
  return file;
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

/** Writes beside the file, checks and renames, so that a full disk or a crash leaves the old file whole. */
async function replaceFile(
  file: string,
  bytes: Uint8Array,
  verify?: (bytes: Uint8Array<ArrayBuffer>) => Promise<void>,
): Promise<void> {
  const partial = `${file}.partial`;
  try {
    using handle = await Deno.open(partial, { write: true, create: true, truncate: true });
    for (let written = 0; written < bytes.length;) written += await handle.write(bytes.subarray(written));
    await handle.sync();
    await verify?.(await Deno.readFile(partial));
    await Deno.rename(partial, file);
  } catch (error) {
    await Deno.remove(partial).catch(() => {});
    throw error;
  }
}
