/**
 * The model contract: what an ONNX file must look like for the two programs to agree on it. `train/` writes files that
 * follow it and `serve/` reads them, so it is defined once, here.
 *
 * | tensor          | type    | shape          | meaning                                          |
 * | --------------- | ------- | -------------- | ------------------------------------------------ |
 * | `image`         | float32 | `[N, C, H, W]` | pixels in 0..1, as torchvision's ToTensor        |
 * | `logits`        | float32 | `[N, classes]` | the raw scores                                   |
 * | `probabilities` | float32 | `[N, classes]` | softmax of the logits divided by a temperature, |
 * |                 |         |                | if the model is calibrated; each row sums to 1   |
 * | `familiarity`   | float32 | `[N]`          | optional: how much an image resembles the        |
 * |                 |         |                | training images, 0..1                            |
 *
 * @module
 */
import { InputError } from "./errors.ts";
import { isPreprocessing, type Preprocessing, preprocessingFor } from "./image.ts";
import { type OnnxModel, readOnnx } from "./onnx/read.ts";
import { sha256 } from "./sha256.ts";

/** The graph's input. */
export const INPUT = "image";
/** The graph's output of raw scores. */
export const LOGITS = "logits";
/** The graph's output of probabilities. */
export const PROBABILITIES = "probabilities";
/** The graph's output of familiarities; models without it follow the contract too. */
export const FAMILIARITY = "familiarity";

/**
 * Keys of `metadata_props`. The `Image.*` keys are ONNX's own
 * (https://github.com/onnx/onnx/blob/main/docs/MetadataProps.md); the others are ours, and their values
 * are JSON.
 */
export const METADATA = {
  /** `Gray8`, or `Rgb8` for three channels. */
  pixelFormat: "Image.BitmapPixelFormat",
  /** `SRGB`: pixels are used as stored, no gamma is undone. */
  colorSpace: "Image.ColorSpaceGamma",
  /** `Normalized_0_1`: a byte is divided by 255. */
  pixelRange: "Image.NominalPixelRange",
  /** {@linkcode Preprocessing}: what was done to pictures, to be done again. */
  preprocessing: "selvedge.preprocessing",
  /** `string[]`: the class names, in the order of the outputs. */
  labels: "selvedge.labels",
  /** {@linkcode Provenance.dataset} */
  dataset: "selvedge.dataset",
  /** {@linkcode Provenance.backbone} */
  backbone: "selvedge.backbone",
  /** {@linkcode Provenance.recipe} */
  recipe: "selvedge.recipe",
  /** `number` */
  seed: "selvedge.seed",
  /** `string`: the TensorFlow.js backend that trained it, and what multiplied matrices there. */
  backend: "selvedge.backend",
  /** {@linkcode Metrics} */
  metrics: "selvedge.metrics",
  /** {@linkcode Familiarity}, for models with the output of that name. */
  familiarity: "selvedge.familiarity",
  /** {@linkcode Reference} */
  reference: "selvedge.reference",
  /** `string`: version of this project. */
  codeVersion: "selvedge.version",
} as const;

/** What a model scored, and on what. Accuracies are in 0..1, losses are mean cross-entropies. */
export interface Metrics {
  /** On the validation images, by which the model was chosen; absent if there are none. */
  validation?: {
    images: number;
    accuracy: number;
    loss: number;
    /** Number of folds, where every training image was validated by a model that was trained without it. */
    folds?: number;
  };
  /** On the test split, for reporting only. */
  test: { images: number; accuracy: number; loss: number };
  /** The calibration of the probabilities; absent if it was not measured. */
  calibration?: {
    /** What divides the logits on their way to the probabilities; 1 changes nothing. */
    temperature: number;
    /** Expected calibration error on the test split, 0..1, without and with the temperature. */
    ece: { before: number; after: number };
  };
}

/**
 * How to read the output `familiarity`: the share of the validation images that are less familiar than an image. An
 * image is *unfamiliar* when its familiarity is below the threshold.
 */
export interface Familiarity {
  /** 0..1; about `1 - kept`. */
  threshold: number;
  /** The share of the validation images that was to be at or above the threshold, 0..1. */
  kept: number;
  /** The images that the familiarity was calibrated on, and the share of them at or above the threshold. */
  validation: { images: number; kept: number };
  /** The test images at or above the threshold, and how the model does on these; absent if it was not measured. */
  test?: {
    /** Share of the test images, 0..1. */
    kept: number;
    /** Share of the kept images that are classified correctly, 0..1; absent if none is kept. */
    accuracy?: number;
    /** Expected calibration error on the kept images, 0..1; absent if none is kept. */
    ece?: number;
  };
}

/** Number of bins of the histograms in {@linkcode Reference}. */
export const REFERENCE_BINS = 20;

/**
 * What the model answered for the validation images, to compare with what it answers in production. Each histogram
 * has {@linkcode REFERENCE_BINS} bins of equal width over 0..1; a value of 1 counts into the last bin.
 */
export interface Reference {
  /** Number of validation images. */
  images: number;
  /** Histogram of the largest probability. */
  confidence: number[];
  /** How often each class was predicted, in the order of the labels. */
  classes: number[];
  /** Histogram of the familiarity; absent for models without the output. */
  familiarity?: number[];
}

/** Where a model comes from. */
export interface Provenance {
  /** What it was trained and tested on. */
  dataset: {
    name: string;
    /** SHA-256 over the pixels and labels of both splits, as 64 hexadecimal digits. */
    sha256: string;
    /** The seed of the test split; absent if the data set has its own split. */
    splitSeed?: number;
  };
  /** The frozen network that turns images into features; absent if the model takes the pixels themselves. */
  backbone?: {
    /** Its name in this project, or of its file. */
    name: string;
    /** SHA-256 of its file, as 64 hexadecimal digits. */
    sha256: string;
    /** The tensors that became features. */
    features: string[];
    /** Number of features. */
    size: number;
    /** How its weights are stored. */
    store: string;
    /** An SPDX identifier; absent where it is not known. */
    licence?: string;
    /** Where it can be downloaded. */
    source?: string;
  };
  /** Every hyper-parameter of the run. */
  recipe: Record<string, unknown>;
  /** Of every generator of the run. */
  seed: number;
  /** What computed, as `wasm OpenBLAS 0.3.21 Haswell, 2 threads`. */
  backend: string;
  /** The version of this project. */
  codeVersion: string;
}

/** The size of one input image. */
export interface ImageShape {
  /** 1 is grey; 3 is red, green and blue. */
  channels: number;
  /** Pixels. */
  height: number;
  /** Pixels. */
  width: number;
}

/** The description of a model in its ONNX file. */
export interface ModelDescription {
  /** The graph's name. */
  name: string;
  /** The first 12 hexadecimal digits of the file's SHA-256. */
  version: string;
  /** Names of the classes, in the order of the outputs. */
  labels: readonly string[];
  /** What one image must be. */
  input: ImageShape;
  /** How pictures become the input; absent if the input is neither grey nor red, green and blue. */
  preprocessing?: Preprocessing;
  /** Absent where the file does not say. */
  metrics?: Metrics;
  /** Present exactly when the graph has the output `familiarity`. */
  familiarity?: Familiarity;
  /** Absent where the file does not say. */
  reference?: Reference;
  /** Absent keys where the file does not say. */
  provenance: Partial<Provenance>;
}

/**
 * Reads the description in a model file and checks that the file follows the contract.
 *
 * @param bytes the ONNX file
 * @throws {InputError} `invalid-format` if the bytes are not an ONNX file, `unsupported` if the file does not follow
 * the contract
 */
export async function describeModel(bytes: Uint8Array<ArrayBuffer>): Promise<ModelDescription> {
  const model = readOnnx(bytes);
  const input = imageShape(model);
  const labels = readLabels(model);
  checkName(model.name);
  for (const name of [LOGITS, PROBABILITIES]) {
    const output = model.outputs.find((output) => output.name === name);
    const [batch, classes] = output?.shape ?? [];
    if (output?.shape.length !== 2 || typeof batch === "number" || classes !== labels.length) {
      throw new InputError(
        "unsupported",
        `Cannot use the model as it must have an output "${name}" of shape [N, ${labels.length}], ` +
          `one column per label: current outputs are ${signature(model.outputs)}`,
      );
    }
  }
  // Other exporters need not write the key: the default for the channels applies.
  const preprocessing = json(model, METADATA.preprocessing) ?? preprocessingFor(input.channels);
  if (preprocessing !== undefined && !isPreprocessing(preprocessing, input.channels)) {
    throw new InputError(
      "unsupported",
      `Cannot use the model as its metadata "${METADATA.preprocessing}" must name a preprocessing that this version ` +
        `knows for ${input.channels} channels: current value is ${JSON.stringify(preprocessing)}`,
    );
  }
  const metrics = json(model, METADATA.metrics) as Metrics | undefined;
  const familiarity = readFamiliarity(model);
  const reference = json(model, METADATA.reference) as Reference | undefined;
  const known = {
    dataset: json(model, METADATA.dataset),
    backbone: json(model, METADATA.backbone),
    recipe: json(model, METADATA.recipe),
    seed: json(model, METADATA.seed),
    backend: json(model, METADATA.backend),
    codeVersion: json(model, METADATA.codeVersion),
  };
  return {
    name: model.name,
    version: (await sha256(bytes)).slice(0, 12),
    labels,
    input,
    ...(preprocessing && { preprocessing }),
    ...(metrics && { metrics }),
    ...(familiarity && { familiarity }),
    ...(reference && { reference }),
    provenance: Object.fromEntries(
      Object.entries(known).filter(([, value]) => value !== undefined),
    ) as Partial<Provenance>,
  };
}

function readLabels(model: OnnxModel): string[] {
  const labels = json(model, METADATA.labels);
  if (
    !Array.isArray(labels) || labels.length === 0 ||
    !labels.every((label): label is string => typeof label === "string" && label.trim() !== "") ||
    new Set(labels.map((label) => label.trim())).size < labels.length
  ) {
    throw new InputError(
      "unsupported",
      `Cannot use the model as its metadata "${METADATA.labels}" must be a JSON array of class names, none of them ` +
        `empty or used twice: current value is ${JSON.stringify(labels)?.slice(0, 500)}`,
    );
  }
  return labels;
}

/** What names of models must be, for errors. */
export const MODEL_NAME_RULE =
  "must have 1 to 128 letters, digits, spaces and any of _.+- and not be stats, . or ..";

/**
 * Whether a model can have this name, by {@linkcode MODEL_NAME_RULE}. It is a segment of paths, so it cannot be `.` or
 * `..`, nor `stats`, as `/v2/models/stats` is another route.
 */
export function isModelName(name: string): boolean {
  return /^[\p{L}\p{M}\p{N} _.+-]{1,128}$/u.test(name) && !["", ".", "..", "stats"].includes(name.trim());
}

function checkName(name: string): void {
  if (isModelName(name)) return;
  throw new InputError(
    "unsupported",
    `Cannot use the model as the name of its graph ${MODEL_NAME_RULE}: ` +
      `current value is ${JSON.stringify(name.slice(0, 200))}`,
  );
}

function imageShape(model: OnnxModel): ImageShape {
  const input = model.inputs.find((input) => input.name === INPUT);
  const [batch, channels, height, width] = input?.shape ?? [];
  if (
    input?.shape.length !== 4 || typeof batch === "number" || typeof channels !== "number" ||
    typeof height !== "number" || typeof width !== "number"
  ) {
    throw new InputError(
      "unsupported",
      `Cannot use the model as it must have an input "${INPUT}" of shape [N, C, H, W] with a free N: ` +
        `current inputs are ${signature(model.inputs)}`,
    );
  }
  return { channels, height, width };
}

function readFamiliarity(model: OnnxModel): Familiarity | undefined {
  const output = model.outputs.find((output) => output.name === FAMILIARITY);
  if (!output) return undefined;
  if (output.shape.length !== 1 || typeof output.shape[0] === "number") {
    throw new InputError(
      "unsupported",
      `Cannot use the model as its output "${FAMILIARITY}" must have the shape [N]: ` +
        `current outputs are ${signature(model.outputs)}`,
    );
  }
  const value = json(model, METADATA.familiarity) as Familiarity | undefined;
  const threshold = value?.threshold;
  if (typeof threshold !== "number" || !(threshold >= 0 && threshold <= 1)) {
    throw new InputError(
      "unsupported",
      `Cannot use the model as its metadata "${METADATA.familiarity}" must have a threshold in 0..1: ` +
        `current value is ${JSON.stringify(value)}`,
    );
  }
  return value;
}

function json(model: OnnxModel, key: string): unknown {
  const value = model.metadata.get(key);
  if (value === undefined) return undefined;
  try {
    return JSON.parse(value);
  } catch {
    throw new InputError(
      "unsupported",
      `Cannot use the model as its metadata "${key}" must be JSON: current value is ${value.slice(0, 80)}`,
    );
  }
}

function signature(values: OnnxModel["inputs"]): string {
  if (values.length === 0) return "none";
  return values.map(({ name, shape }) => `"${name}" [${shape.join(", ")}]`).join(", ");
}
