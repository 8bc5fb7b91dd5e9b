/**
 * From a file to a model that may be served.
 *
 * @module
 */
import { sha256 } from "../shared/sha256.ts";
import { METADATA, type ModelDescription, REFERENCE_BINS } from "../shared/contract.ts";
import { InputError } from "../shared/errors.ts";
import { Classifier, type ModelIdentity } from "../shared/inference/classifier.ts";
import type { CreateSession } from "../shared/inference/session.ts";
import { readOnnx } from "../shared/onnx/read.ts";

/** Products of two such weights are still finite in float32, whose largest number is 3.4e38. */
const MAX_WEIGHT = 1e19;

export interface ModelChecks {
  /** What the file's SHA-256 must be, as 64 lower-case hexadecimal digits; empty for any. */
  sha256?: string;
  /** The build of ONNX Runtime that runs it; WebAssembly where it is not said. */
  create?: CreateSession;
  /** The name and the version under which it is served, in place of those of the file. */
  identity?: ModelIdentity;
}

/**
 * Checks an ONNX file and loads it.
 *
 * @throws {InputError} `invalid-format` if the bytes are not an ONNX file, `unsupported` if the file does not follow
 * the contract or ONNX Runtime refuses it, `invalid-value` if its hash is not the expected one or a weight is NaN
 * or too large to compute with
 */
export async function loadModel(
  bytes: Uint8Array<ArrayBuffer>,
  { sha256: expected = "", create, identity }: ModelChecks = {},
): Promise<Classifier> {
  if (expected !== "") {
    const found = await sha256(bytes);
    if (found !== expected) {
      throw new InputError(
        "invalid-value",
        `Cannot use the model as its SHA-256 must be ${expected}: current value is ${found}`,
      );
    }
  }
  for (const { name, dims, data } of readOnnx(bytes).initializers) {
    // Single numbers are bounds of operators such as Clip, of which the largest float means "none".
    const most = dims.length === 0 ? Infinity : MAX_WEIGHT;
    const wrong = firstBeyond(most, data);
    if (wrong >= 0) {
      throw new InputError(
        "invalid-value",
        `Cannot use the model as its weights must be in -1e19..1e19: ` +
          `current value of ${JSON.stringify(name)}[${wrong}] is ${data[wrong]}`,
      );
    }
  }
  const classifier = await start(bytes, create, identity);
  try {
    checkReference(classifier.description);
    return classifier;
  } catch (error) {
    await classifier.close();
    throw error;
  }
}

/** A loop, as `findIndex()` takes 50 ms for a million weights in a process that has just started. */
function firstBeyond(most: number, weights: Float32Array): number {
  for (let i = 0; i < weights.length; i++) if (!(Math.abs(weights[i]!) <= most)) return i;
  return -1;
}

async function start(
  bytes: Uint8Array<ArrayBuffer>,
  create: CreateSession | undefined,
  identity: ModelIdentity | undefined,
): Promise<Classifier> {
  try {
    return await Classifier.load(bytes, create, identity);
  } catch (cause) {
    if (cause instanceof InputError) throw cause;
    // Its own errors name C++ files and lines.
    throw new InputError(
      "unsupported",
      `Cannot use the model as ONNX Runtime refuses it: ${(cause as Error).message}`,
      {
        cause,
      },
    );
  }
}

/** The metrics show it as it is, so it must have the bins that they have. */
function checkReference({ labels, familiarity, reference }: ModelDescription): void {
  if (!reference) return;
  const sizes = {
    confidence: REFERENCE_BINS,
    classes: labels.length,
    ...(familiarity && { familiarity: REFERENCE_BINS }),
  };
  for (const [name, size] of Object.entries(sizes) as [keyof typeof sizes, number][]) {
    const counts: unknown = reference[name];
    if (!Array.isArray(counts) || counts.length !== size || !counts.every((count) => count >= 0)) {
      throw new InputError(
        "unsupported",
        `Cannot use the model as "${name}" of its metadata "${METADATA.reference}" must be ${size} counts: ` +
          `current value is ${String(JSON.stringify(counts)).slice(0, 80)}`,
      );
    }
  }
}
