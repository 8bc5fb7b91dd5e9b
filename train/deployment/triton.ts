/**
 * A model repository for NVIDIA Triton Inference Server
 * (https://github.com/triton-inference-server/server/blob/main/docs/user_guide/model_repository.md):
 *
 *     DIR/NAME/config.pbtxt     inputs, outputs, batching and version policy
 *     DIR/NAME/labels.txt       one class name per line
 *     DIR/NAME/VERSION/model.onnx
 *
 * @module
 */
import { join } from "node:path";
import { describeModel, PROBABILITIES } from "../../shared/contract.ts";
import { InputError } from "../../shared/errors.ts";
import { type OnnxModel, readOnnx } from "../../shared/onnx/read.ts";
import { replaceFile } from "../files/replace_file.ts";

/** How Triton batches requests. */
export interface TritonOptions {
  /** Images per inference, at least 1. */
  maxBatchSize: number;
  /** How long a request may wait for others to share an inference with, in µs. */
  maxQueueDelayMicroseconds: number;
}

/** The defaults of {@linkcode TritonOptions}. */
export const TRITON_DEFAULTS: TritonOptions = { maxBatchSize: 64, maxQueueDelayMicroseconds: 500 };

/** The text files of a model in the repository. */
export interface TritonFiles {
  config: string;
  labels: string;
}

/**
 * Generates the configuration of a model, `ModelConfig` of
 * https://github.com/triton-inference-server/common/blob/main/protobuf/model_config.proto in protobuf's text format,
 * and its labels.
 *
 * @param bytes an ONNX file that follows the model contract
 * @throws {InputError} `unsupported` if Triton cannot name the model or its labels
 */
export async function tritonFiles(
  bytes: Uint8Array<ArrayBuffer>,
  { maxBatchSize, maxQueueDelayMicroseconds } = TRITON_DEFAULTS,
): Promise<TritonFiles> {
  const { name, labels, preprocessing } = await describeModel(bytes);
  const { inputs, outputs } = readOnnx(bytes);
  checkName(name);
  const broken = labels.find((label) => /[\r\n]/.test(label));
  if (broken !== undefined) {
    throw new InputError(
      "unsupported",
      `Cannot export the model to Triton as a label must be one line: current value is ${
        JSON.stringify(broken)
      }`,
    );
  }
  const config = `# The file format is described at
# https://github.com/triton-inference-server/server/blob/main/docs/user_guide/model_configuration.md
name: ${quote(name)}
backend: "onnxruntime"
default_model_filename: "model.onnx"
max_batch_size: ${maxBatchSize}

input [
${inputs.map((input) => tensor(input)).join(",\n")}
]
output [
${outputs.map((output) => tensor(output, output.name === PROBABILITIES)).join(",\n")}
]

# Requests that arrive within this time share an inference.
dynamic_batching {
  max_queue_delay_microseconds: ${maxQueueDelayMicroseconds}
}

# The previous version remains available at /v2/models/${name}/versions/N.
version_policy { latest { num_versions: 2 } }

# A GPU if there is one, else the CPU.
instance_group [ { kind: KIND_AUTO, count: 1 } ]

# The server is ready once this inference has succeeded.
model_warmup [
  {
    name: "blank"
    batch_size: 1
${inputs.map(warmup).join("\n")}
  }
]
${
    preprocessing === undefined ? "" : `
# Triton does not apply it: clients prepare the pixels (docs/preprocessing.md).
parameters { key: "preprocessing" value { string_value: ${quote(preprocessing)} } }
`
  }`;
  return { config, labels: labels.map((label) => `${label}\n`).join("") };
}

type Tensor = OnnxModel["inputs"][number];

/** An input or output; Triton adds the batch dimension itself. */
function tensor({ name, shape }: Tensor, hasLabels = false): string {
  const dims = shape.slice(1);
  return `  {
    name: ${quote(name)}
    data_type: TYPE_FP32
${
    // Triton accepts no empty dims: a value per image is [N, 1] to clients and [N] to the model.
    dims.length > 0 ? `    dims: [ ${dims.join(", ")} ]` : "    dims: [ 1 ]\n    reshape { shape: [ ] }"}${
    hasLabels ? '\n    label_filename: "labels.txt"' : ""
  }
  }`;
}

function warmup({ name, shape }: Tensor): string {
  const value = `data_type: TYPE_FP32, dims: [ ${shape.slice(1).join(", ")} ], zero_data: true`;
  return `    inputs { key: ${quote(name)}, value { ${value} } }`;
}

/** A string of protobuf's text format, whose escapes include those of JSON. */
function quote(text: string): string {
  return JSON.stringify(text);
}

/** The name is a folder and a part of the URL. */
function checkName(name: string): void {
  if (/^\w[\w.-]*$/.test(name)) return;
  throw new InputError(
    "unsupported",
    `Cannot export the model as its name must consist of letters, digits, "_", "-" and ".": ` +
      `current value is ${JSON.stringify(name)}`,
    { hint: "deno task train --name NAME gives a model another name" },
  );
}

/**
 * Adds a version of a model to a repository, which is created if necessary. The model file is written last into the
 * folder of the version, so that a Triton that polls the repository finds it complete.
 *
 * @param version a positive integer
 * @returns the paths of the files
 * @throws {InputError} `conflict` if the version exists with other bytes, or if another version has other inputs,
 * outputs, preprocessing or labels
 */
export async function writeTritonRepository(
  folder: string,
  bytes: Uint8Array<ArrayBuffer>,
  version: number,
  options = TRITON_DEFAULTS,
): Promise<string[]> {
  const { name } = await describeModel(bytes);
  const { config, labels } = await tritonFiles(bytes, options);
  const root = join(folder, name), model = join(root, String(version), "model.onnx");
  const existing = await readIfExists(model);
  if (existing && !equal(existing, bytes)) {
    throw new InputError(
      "conflict",
      `Cannot export the model as version ${version} in "${root}" must be absent or the same file`,
      { hint: `Add another version with --version ${version + 1}` },
    );
  }
  const files = { config: join(root, "config.pbtxt"), labels: join(root, "labels.txt") };
  for (const other of await otherVersions(root, version)) {
    const files = await tritonFiles(await Deno.readFile(join(root, other, "model.onnx")), options);
    if (files.config === config && files.labels === labels) continue;
    throw new InputError(
      "conflict",
      `Cannot add version ${version} to "${root}" as its inputs, outputs, preprocessing and labels must be those of ` +
        `version ${other}`,
      { hint: "Export to another DIR, or give the model another name with deno task train --name NAME" },
    );
  }
  await replaceFile(files.labels, labels);
  await replaceFile(files.config, config);
  await replaceFile(model, bytes);
  return [files.config, files.labels, model];
}

async function readIfExists(file: string): Promise<Uint8Array | undefined> {
  try {
    return await Deno.readFile(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** The other versions with a model, which share the configuration. */
async function otherVersions(root: string, version: number): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const { name, isDirectory } of Deno.readDir(root)) {
      if (isDirectory && /^[1-9]\d*$/.test(name) && name !== String(version)) names.push(name);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return names.sort();
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
