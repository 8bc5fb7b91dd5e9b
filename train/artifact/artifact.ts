/**
 * Artifacts: a folder per model with `model.onnx` and `metrics.json`. Each file is written to a temporary file,
 * checked, and renamed, so that there is a complete one at every moment.
 *
 * @module
 */
import {
  describeModel,
  FAMILIARITY,
  type ImageShape,
  INPUT,
  LOGITS,
  type Metrics,
} from "../../shared/contract.ts";
import { sha256 } from "../../shared/sha256.ts";
import { InputError } from "../../shared/errors.ts";
import { Classifier, scale } from "../../shared/inference/classifier.ts";
import { createSession } from "../../shared/inference/ort.ts";
import type { OnnxModel } from "../../shared/onnx/schema.ts";
import { type EncodedTensor, encodeTensor, writeOnnx } from "../../shared/onnx/write.ts";
import type { Split } from "../dataset/mod.ts";
import type { Features } from "../dataset/types.ts";
import { calibrate, type Calibration, type Scored } from "../evaluation/calibration.ts";
import { allScores, type Evaluation, inBatches, measure } from "../evaluation/evaluation.ts";
import { referenceOf } from "../evaluation/familiarity.ts";
import { confidentMistakes, type Mistake } from "../evaluation/mistakes.ts";
import type { FittedFamiliarity } from "../familiarity/fit.ts";
import { chooseThreshold, type FamiliarityMetrics, measureFamiliarity } from "../familiarity/measure.ts";
import { isSystemError, replaceFile } from "../files/replace_file.ts";
import type { FitResult } from "../learning/fit.ts";
import type { LinearWeights } from "../learning/mlp.ts";
import { mlpToOnnx, type ModelInfo } from "./export.ts";
import { formatMetrics, type RunMetrics } from "./metrics.ts";

/** Maximum difference between ONNX Runtime's and TensorFlow.js's logits. */
const TOLERANCE = 1e-4;

/** The same with a backbone, whose features have rounding errors of their own. */
const BACKBONE_TOLERANCE = 1e-3;

/** Maximum difference between ONNX Runtime's familiarities, which are in 0..1, and ours. */
const FAMILIARITY_TOLERANCE = 0.01;

/** Test images on which the whole file is run, with a backbone; the others are measured from their cached features. */
const VERIFIED_IMAGES = 8;

/** A model that has been measured and is ready to be written. */
export interface Artifact {
  /** The ONNX file. */
  bytes: Uint8Array<ArrayBuffer>;
  /** The metadata of the file, without the measurements. */
  info: ModelInfo;
  /** On the test split, by ONNX Runtime; with a backbone, from the features that it computed before the training. */
  evaluation: Evaluation;
  /** The measurements in the metadata of the file. */
  metrics: Metrics;
  /** Calibration of the probabilities, without and with the temperature. */
  calibration: Calibration;
  /** The most confident mistakes on the test split. */
  mistakes: Mistake[];
  /** The largest difference between ONNX Runtime's and TensorFlow.js's logits on the test split. */
  maxDifference: number;
  /** Metrics of the familiarity; absent for a model without that output. */
  familiarity?: FamiliarityMetrics;
  /**
   * Loads the bytes with ONNX Runtime and compares its outputs again, to check the written file. With a backbone, on
   * a few images.
   *
   * @throws {Error} if the logits differ by more than 1e-4, or 1e-3 with a backbone, or the familiarities by more than
   * 0.01
   */
  verify(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
}

/** The parts of an artifact. */
export interface ArtifactSource {
  layers: readonly LinearWeights[];
  info: ModelInfo;
  /** The test split with TensorFlow.js's logits, `[N, classes]`. */
  test: Split & Scored;
  /** The validation images, on which the temperature is fitted; absent if there are none. */
  validation?: Scored & { metrics: Metrics["validation"] };
  /** Adds the output `familiarity`; absent for a model without it. */
  familiarity?: FittedFamiliarity;
  /** Puts a backbone in front of the encoded network; absent if it takes the pixels themselves. */
  attach?: (head: Uint8Array) => Uint8Array<ArrayBuffer>;
}

/**
 * Encodes a model as ONNX, runs the file with ONNX Runtime on the test split, and compares the logits with those of
 * TensorFlow.js. The temperature, fitted on the validation images or else taken from `info`, becomes part of the
 * file.
 *
 * @throws {Error} if the logits differ by more than 1e-4, or 1e-3 with a backbone, or the familiarities by more than
 * 0.01
 */
export async function buildArtifact(
  { layers, info, test, validation, familiarity, attach }: ArtifactSource,
): Promise<Artifact> {
  const score = familiarity && {
    ...chooseThreshold(familiarity),
    score: familiarity.score,
  };
  const graph = mlpToOnnx(layers, { ...info, ...(score && { familiarity: score }) });
  // The measurements become part of the file, so it is written twice; its weights are encoded once.
  const encoded = new Map(graph.initializers.map((tensor) => [tensor.name, encodeTensor(tensor)]));
  const encode = (model: OnnxModel): Uint8Array<ArrayBuffer> => {
    const initializers = model.initializers.map((tensor) => encoded.get(tensor.name) ?? tensor);
    const head = writeOnnx({ ...model, initializers });
    return attach ? attach(head) : head;
  };
  const outputs = attach && test.features
    ? await runHead(graph, encoded, test.features)
    : await runDraft(encode(graph), info.input, test.images);
  const logits = outputs[LOGITS]!;
  const tolerance = attach ? BACKBONE_TOLERANCE : TOLERANCE;
  const maxDifference = compare("the logits", logits, test.logits, tolerance);
  const expected = await familiarity?.of(test);

  const tested: Scored = { logits, labels: test.labels };
  const evaluation = measure(logits, test, info.labels);
  const { images, accuracy, loss } = evaluation;
  const calibration = calibrate(tested, validation, info.temperature);
  const { temperature, ece } = calibration;
  const metrics: Metrics = {
    ...(validation?.metrics && { validation: validation.metrics }),
    test: { images, accuracy, loss },
    calibration: { temperature, ece },
  };
  const familiar = familiarity && expected && {
    ...measureFamiliarity(
      familiarity,
      { ...tested, familiarity: outputs[FAMILIARITY]! },
      temperature,
    ),
    maxDifference: compare("the familiarity", outputs[FAMILIARITY]!, expected, FAMILIARITY_TOLERANCE),
  };
  const measured = mlpToOnnx(layers, {
    ...info,
    temperature,
    metrics,
    ...(score && familiar && { familiarity: { ...score, test: familiar.test } }),
    ...(validation && { reference: referenceOf(validation, temperature, familiarity?.validation) }),
  });
  return {
    bytes: encode(measured),
    info,
    evaluation,
    metrics,
    calibration,
    ...(familiar && { familiarity: familiar }),
    mistakes: confidentMistakes(tested, info.labels, temperature),
    maxDifference,
    async verify(bytes): Promise<void> {
      const written = await Classifier.load(bytes);
      const count = attach ? Math.min(VERIFIED_IMAGES, test.count) : test.count;
      const some = test.images.subarray(0, count * written.imageSize);
      const again = await allScores(written, some).finally(() => written.close());
      compare("the logits", again.logits, test.logits.subarray(0, count * info.labels.length), tolerance);
      if (expected) {
        compare("the familiarity", again.familiarity!, expected.subarray(0, count), FAMILIARITY_TOLERANCE);
      }
    },
  };
}

/** The outputs of a file that was just encoded, so that it need not be parsed. */
async function runDraft(
  bytes: Uint8Array<ArrayBuffer>,
  { channels, height, width }: ImageShape,
  images: Uint8Array,
): Promise<Record<string, Float32Array>> {
  const session = await createSession(bytes);
  const imageSize = channels * height * width;
  try {
    return await inBatches(
      images,
      imageSize,
      (pixels) => session.run(INPUT, scale(pixels), [pixels.length / imageSize, channels, height, width]),
    );
  } finally {
    await session.release();
  }
}

/** The outputs of the network behind a backbone, from features that ONNX Runtime has computed by the backbone. */
async function runHead(
  graph: OnnxModel,
  encoded: ReadonlyMap<string, EncodedTensor>,
  { values, size }: Features,
): Promise<Record<string, Float32Array>> {
  const inputs = graph.inputs.map((input) => ({
    ...input,
    shape: ["N", size],
    denotation: "",
    dimensionDenotations: ["DATA_BATCH", "DATA_FEATURE"],
  }));
  const initializers = [...encoded.values()];
  const session = await createSession(writeOnnx({ ...graph, inputs, initializers }));
  try {
    return await inBatches(
      values,
      size,
      (rows) => session.run(INPUT, rows, [rows.length / size, size]),
    );
  } finally {
    await session.release();
  }
}

/**
 * The largest difference between the outputs of ONNX Runtime and TensorFlow.js.
 *
 * @param what name of the output, for the error
 * @throws {Error} if it is above the tolerance
 */
function compare(
  what: string,
  actual: Float32Array,
  expected: Float32Array | Float64Array,
  tolerance: number,
): number {
  let difference = 0;
  // NaN on either side must fail too, and Math.max keeps it.
  for (let i = 0; i < expected.length; i++) {
    difference = Math.max(difference, Math.abs(expected[i]! - actual[i]!));
  }
  if (actual.length === expected.length && difference <= tolerance) return difference;
  throw new Error(
    `Cannot export the model as ONNX Runtime and TensorFlow.js must agree on ${what} within ` +
      `${tolerance}: current difference is ${difference}`,
  );
}

/**
 * Writes `model.onnx` and `metrics.json` into a folder, which is created if necessary.
 *
 * @returns the path of the ONNX file
 * @throws {InputError} if the folder is not writable or the disk is full
 */
export async function writeArtifact(
  folder: string,
  artifact: Artifact,
  run: FitResult & { command?: string },
): Promise<string> {
  const { bytes, info, evaluation, metrics, calibration, mistakes, maxDifference, familiarity } = artifact;
  const file = `${folder}/model.onnx`;
  const hash = await sha256(bytes);
  const { dataset, backbone, recipe, seed, backend, codeVersion } = info.provenance;
  const report: RunMetrics = {
    name: info.name,
    version: hash.slice(0, 12),
    sha256: hash,
    bytes: bytes.length,
    input: info.input,
    ...metrics,
    calibration,
    ...(familiarity && { familiarity: { ...familiarity, seconds: Math.round(familiarity.seconds) } }),
    classes: evaluation.classes,
    confusion: evaluation.confusion,
    mistakes,
    maxLogitDifference: maxDifference,
    provenance: {
      dataset: dataset!,
      ...(backbone && { backbone: { ...backbone, features: [...backbone.features] } }),
      recipe: recipe!,
      seed: seed!,
      backend: backend!,
      codeVersion,
    },
    ...(run.command !== undefined && { command: run.command }),
    ...(run.bestEpoch !== undefined && { bestEpoch: run.bestEpoch }),
    seconds: Math.round(run.seconds),
    epochs: run.epochs,
  };
  try {
    await replaceFile(file, bytes, artifact.verify);
    await replaceFile(`${folder}/metrics.json`, formatMetrics(report));
  } catch (cause) {
    if (!(cause instanceof InputError)) throw cause;
    throw new InputError("unavailable", `Cannot write the model to "${folder}": ${cause.message}`, {
      cause,
      hint: "Choose another folder with --out",
    });
  }
  return file;
}

/**
 * Refuses a folder whose model was trained on another data set, so that no experiment replaces a model in use.
 *
 * @param dataset name of the data set that the new model is trained on
 * @throws {InputError} if there is a model of another data set, a file that is not a model, or no access
 */
export async function checkDestination(folder: string, dataset: string): Promise<void> {
  let bytes;
  try {
    bytes = await Deno.readFile(`${folder}/model.onnx`);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return;
    if (!isSystemError(cause)) throw cause;
    throw new InputError("unavailable", `Cannot write the model to "${folder}": ${cause.message}`, { cause });
  }
  const existing = await describeModel(bytes).then(
    ({ provenance }) => `a model of ${provenance.dataset?.name ?? "an unknown data set"}`,
    () => "not a model of this program",
  );
  if (existing !== `a model of ${dataset}`) {
    throw new InputError(
      "conflict",
      `Cannot write the model to "${folder}" as model.onnx there must be a model of ${dataset} or absent: ` +
        `current file is ${existing}`,
      { hint: "Choose another --name or --out" },
    );
  }
}
