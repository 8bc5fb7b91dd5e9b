/**
 * Checkpoints: everything that a run needs to resume, in one file beside the model, written after an epoch.
 *
 * The format is safetensors (https://github.com/huggingface/safetensors), so that other programs can read it: eight
 * bytes with the length of the header, the header as JSON, and the numbers.
 *
 * @module
 */
import config from "../../deno.json" with { type: "json" };
import { sha256 } from "../../shared/sha256.ts";
import { InputError } from "../../shared/errors.ts";
import { toCamelCase, toSnakeCase } from "../../shared/naming.ts";
import type { Backend } from "../backend/mod.ts";
import type { Dataset } from "../dataset/mod.ts";
import { isSystemError, removePartials, replaceFile } from "../files/replace_file.ts";
import type { TrainingListener, TrainingState } from "../learning/events.ts";
import type { Numbers } from "../learning/numbers.ts";
import type { Recipe } from "../learning/recipe.ts";

/** The properties of a run that must be the same when it is resumed. */
export interface RunIdentity {
  /** Name of the data set. */
  dataset: string;
  /** SHA-256 of the data set, and of the backbone if there is one. */
  data: string;
  recipe: Recipe;
  seed: number;
  /** As `wasm relaxed`. */
  backend: string;
  /** The version of the code. */
  version: string;
}

const FORMAT = "selvedge checkpoint 2";
/** A thousand epochs need 200 kB. */
const MAX_HEADER_BYTES = 16 << 20;
const RESTART = "Start over with --restart";

/** The identity of a run of this version of the code. */
export function runIdentity(
  { dataset, recipe, seed, backend, backbone }: {
    dataset: Dataset;
    recipe: Recipe;
    seed: number;
    backend: Backend;
    /** The backbone that computed the features, if there is one. */
    backbone?: { sha256: string } | undefined;
  },
): RunIdentity {
  return {
    dataset: dataset.name,
    data: [dataset.sha256, backbone?.sha256].filter(Boolean).join(" "),
    recipe,
    seed,
    backend: backend.id,
    version: config.version,
  };
}

/** The path of a model's checkpoint. */
export function checkpointIn(folder: string): string {
  return `${folder}/checkpoint.safetensors`;
}

/**
 * Minimum time between two checkpoints. Hashing and writing one of 13 MB takes 50 ms of CPU time and up to 400 ms on a
 * busy machine, where an epoch of the default recipe takes 1.5 s.
 */
const INTERVAL_MS = 10_000;

/** Writes checkpoints during a run. */
export interface CheckpointWriter extends TrainingListener {
  /** Writes the state after the last finished epoch, unless it has been written. */
  flush(): Promise<void>;
}

/**
 * Writes a checkpoint after the first epoch, and after each later epoch if the last checkpoint is old enough.
 *
 * @param intervalMs minimum time between two checkpoints, ten seconds if absent; 0 writes after every epoch
 */
export function checkpointWriter(
  folder: string,
  identity: RunIdentity,
  intervalMs: number = INTERVAL_MS,
): CheckpointWriter {
  let pending: TrainingState | undefined, writtenMs = -Infinity;
  const flush = async (): Promise<void> => {
    if (!pending) return;
    const state = pending;
    pending = undefined;
    await writeCheckpoint(folder, identity, state);
    writtenMs = performance.now();
  };
  return {
    async onCheckpoint(state): Promise<void> {
      pending = state;
      if (performance.now() - writtenMs >= intervalMs) await flush();
    },
    flush,
  };
}

/**
 * Replaces the previous checkpoint, which is kept if that fails.
 *
 * @throws {InputError} if the folder is not writable or the disk is full
 */
export async function writeCheckpoint(
  folder: string,
  identity: RunIdentity,
  { numbers, ...progress }: TrainingState,
): Promise<void> {
  const bytes = await encode(numbers, {
    format: FORMAT,
    identity: JSON.stringify(identity),
    progress: JSON.stringify(toSnakeCase(progress)),
  });
  try {
    await replaceFile(checkpointIn(folder), bytes);
  } catch (cause) {
    if (!(cause instanceof InputError)) throw cause;
    throw new InputError("unavailable", `Cannot write the checkpoint: ${cause.message}`, {
      cause,
      hint: "Free disk space and continue with --resume, or choose another folder with --out",
    });
  }
}

/**
 * Reads a checkpoint.
 *
 * @returns undefined if there is none
 * @throws {InputError} if it cannot be read, is broken, or belongs to another run; the file is left unchanged
 */
export async function readCheckpoint(
  folder: string,
  identity: RunIdentity,
): Promise<TrainingState | undefined> {
  const file = checkpointIn(folder);
  let bytes;
  try {
    bytes = await Deno.readFile(file);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return undefined;
    if (!isSystemError(cause)) throw cause;
    throw new InputError("unavailable", `Cannot resume from "${file}": ${cause.message}`, {
      cause,
      hint: RESTART,
    });
  }
  const checkpoint = await decodeCheckpoint(bytes).catch((cause) => {
    if (!(cause instanceof SyntaxError)) throw cause;
    const message = `Cannot resume from "${file}" as ${cause.message}`;
    throw new InputError("invalid-format", message, { cause, hint: RESTART });
  });
  const difference = findDifference(flatten(checkpoint.identity), flatten(identity));
  if (difference) {
    const { key, expected, actual } = difference;
    throw new InputError(
      "conflict",
      `Cannot resume from "${file}" as ${key} must be that of the interrupted run, ${expected}: ` +
        `current value is ${actual}`,
      { hint: "Give the same options, or start over with --restart" },
    );
  }
  return checkpoint.state;
}

/** Removes a run's checkpoint, if there is one, and the temporary files of killed processes. */
export async function removeCheckpoint(folder: string): Promise<void> {
  try {
    await removePartials(folder);
    await Deno.remove(checkpointIn(folder));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** All fields, with those of the recipe, each as JSON. */
function flatten({ recipe, ...rest }: RunIdentity): Map<string, string> {
  const entries = [...Object.entries(rest), ...Object.entries(recipe)];
  return new Map(entries.map(([key, value]) => [key, JSON.stringify(value)]));
}

function findDifference(
  expected: Map<string, string>,
  actual: Map<string, string>,
): { key: string; expected: string; actual: string } | undefined {
  for (const key of new Set([...expected.keys(), ...actual.keys()])) {
    const [a = "absent", b = "absent"] = [expected.get(key), actual.get(key)];
    if (a !== b) return { key, expected: a, actual: b };
  }
  return undefined;
}

/** @throws {SyntaxError} if the bytes are not a complete checkpoint; the message continues "Cannot resume as" */
async function decodeCheckpoint(
  bytes: Uint8Array<ArrayBuffer>,
): Promise<{ identity: RunIdentity; state: TrainingState }> {
  const { numbers, metadata } = await decode(bytes);
  if (metadata["format"] !== FORMAT) {
    throw new SyntaxError(`its format must be "${FORMAT}": current value is "${metadata["format"]}"`);
  }
  const progress = toCamelCase(JSON.parse(metadata["progress"]!)) as Omit<TrainingState, "numbers">;
  return { identity: JSON.parse(metadata["identity"]!) as RunIdentity, state: { ...progress, numbers } };
}

async function encode(
  numbers: Numbers,
  metadata: Record<string, string>,
): Promise<Uint8Array<ArrayBuffer>> {
  const header: Record<string, unknown> = {};
  let end = 0;
  for (const [name, { length }] of numbers) {
    header[name] = { dtype: "F32", shape: [length], data_offsets: [end, end += length * 4] };
  }
  const data = new Uint8Array(end);
  let offset = 0;
  for (const values of numbers.values()) {
    // The arrays of a resumed run are views on the whole file.
    data.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), offset);
    offset += values.byteLength;
  }
  header["__metadata__"] = { ...metadata, sha256: await digest(data, metadata) };
  const json = JSON.stringify(header);
  // Padded with spaces to a multiple of eight, so that typed arrays can be views on the numbers.
  const text = new TextEncoder().encode(json);
  const padded = Math.ceil(text.length / 8) * 8;
  const bytes = new Uint8Array(8 + padded + end).fill(0x20, 8, 8 + padded);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
  bytes.set(text, 8);
  bytes.set(data, 8 + padded);
  return bytes;
}

/** @throws {SyntaxError} if the bytes are not a complete file; the message continues "Cannot resume as" */
async function decode(
  bytes: Uint8Array<ArrayBuffer>,
): Promise<{ numbers: Numbers; metadata: Record<string, string> }> {
  if (bytes.length < 8) throw new SyntaxError(`it must have a header: current size is ${bytes.length} bytes`);
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  if (length > MAX_HEADER_BYTES || 8 + length > bytes.length) {
    throw new SyntaxError(
      `its header of ${length} bytes must be within the file: current size is ${bytes.length} bytes`,
    );
  }
  const { __metadata__ = {}, ...tensors } = JSON.parse(
    new TextDecoder().decode(bytes.subarray(8, 8 + length)),
  ) as {
    __metadata__?: Record<string, string>;
  } & Record<string, { data_offsets: [number, number] }>;
  const { sha256: expected, ...metadata } = __metadata__;
  const data = bytes.slice(8 + length);
  if (expected !== await digest(data, metadata)) {
    throw new SyntaxError("its SHA-256 must match its contents: the file is truncated or modified");
  }
  const numbers: Numbers = new Map(
    Object.entries(tensors).map(([name, { data_offsets: [start, end] }]) => [
      name,
      new Float32Array(data.buffer, start, (end - start) / 4),
    ]),
  );
  return { numbers, metadata };
}

/** SHA-256 of the numbers and the metadata. */
async function digest(
  data: Uint8Array<ArrayBuffer>,
  metadata: Record<string, string>,
): Promise<string> {
  return await sha256(data, new TextEncoder().encode(JSON.stringify(metadata)));
}
