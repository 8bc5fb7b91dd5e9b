/**
 * Checkpoints: all that a run needs to go on, in one file beside the model, written anew after each epoch.
 *
 * The format is safetensors (https://github.com/huggingface/safetensors), so that other programs can look
 * inside: eight bytes with the length of the header, the header as JSON, and the numbers.
 *
 * @module
 */
import { sha256 } from "../../shared/contract.ts";
import type { EpochSummary, FitState } from "../learning/fit.ts";
import type { Numbers } from "../learning/numbers.ts";
import type { Recipe } from "../learning/recipe.ts";
import { replaceFile } from "./replace_file.ts";

/** What must be the same when the run goes on, or it would become another one. */
export interface RunIdentity {
  dataset: string;
  /** The data set's SHA-256. */
  data: string;
  recipe: Recipe;
  seed: number;
  /** As `wasm relaxed`. */
  backend: string;
  /** The version of the code. */
  version: string;
}

const FORMAT = "selvedge checkpoint 1";
/** A thousand epochs need 200 kB. */
const MAX_HEADER = 16 << 20;

/** Where a model's checkpoint lies. */
export function checkpointIn(folder: string): string {
  return `${folder}/checkpoint.safetensors`;
}

/**
 * Writes a checkpoint in the place of the one before, which stays if that fails.
 *
 * @throws {Error} if it cannot be written
 */
export async function writeCheckpoint(folder: string, identity: RunIdentity, state: FitState): Promise<void> {
  const { numbers, ...progress } = state;
  const bytes = await encode(numbers, {
    format: FORMAT,
    identity: JSON.stringify(identity),
    progress: JSON.stringify(progress),
  });
  try {
    await Deno.mkdir(folder, { recursive: true });
    await replaceFile(checkpointIn(folder), bytes);
  } catch (cause) {
    throw new Error(
      `Cannot write the checkpoint to "${folder}": ${
        (cause as Error).message
      }. Make room there and go on with ` +
        "--resume, or choose another folder with --out",
      { cause },
    );
  }
}

/**
 * Reads a checkpoint.
 *
 * @returns undefined if there is none
 * @throws {Error} if it cannot be read, is broken, or is another run's; the file stays as it is
 */
export async function readCheckpoint(folder: string, identity: RunIdentity): Promise<FitState | undefined> {
  const file = checkpointIn(folder);
  const fault = (why: string): Error =>
    new Error(`Cannot resume from "${file}" as ${why}. Begin again with --restart`);
  let bytes;
  try {
    bytes = await Deno.readFile(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw fault(`it must be readable: ${(error as Error).message}`);
  }
  let numbers, found, progress;
  try {
    const decoded = await decode(bytes);
    numbers = decoded.numbers;
    if (decoded.metadata["format"] !== FORMAT) {
      throw new SyntaxError(
        `its format must be "${FORMAT}": current value is "${decoded.metadata["format"]}"`,
      );
    }
    found = JSON.parse(decoded.metadata["identity"]!) as RunIdentity;
    progress = JSON.parse(decoded.metadata["progress"]!) as
      & { epochs: EpochSummary[] }
      & Omit<FitState, "numbers">;
  } catch (error) {
    throw fault((error as Error).message);
  }
  const difference = differenceBetween(flat(found), flat(identity));
  if (difference) {
    const [key, there, here] = difference;
    throw new Error(
      `Cannot resume from "${file}" as ${key} must be what the run began with, ${there}: current value is ${here}. ` +
        "Give the same options, or begin again with --restart",
    );
  }
  return { ...progress, numbers };
}

/** Removes the checkpoint of a run that is done or given up. */
export async function removeCheckpoint(folder: string): Promise<void> {
  await Deno.remove(checkpointIn(folder)).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}

/** The recipe's fields beside the others, each as JSON. */
function flat({ recipe, ...rest }: RunIdentity): Map<string, string> {
  const entries = [...Object.entries(rest), ...Object.entries(recipe)];
  return new Map(entries.map(([key, value]) => [key, JSON.stringify(value)]));
}

function differenceBetween(
  there: Map<string, string>,
  here: Map<string, string>,
): [key: string, there: string, here: string] | undefined {
  for (const key of new Set([...there.keys(), ...here.keys()])) {
    const [a = "not there", b = "not there"] = [there.get(key), here.get(key)];
    if (a !== b) return [key, a, b];
  }
  return undefined;
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
  header["__metadata__"] = { ...metadata, sha256: await sha256(data) };
  const json = JSON.stringify(header);
  // Spaces up to the next multiple of eight, so that the numbers lie where arrays can be laid over them.
  const text = new TextEncoder().encode(json);
  const padded = Math.ceil(text.length / 8) * 8;
  const bytes = new Uint8Array(8 + padded + end).fill(0x20, 8, 8 + padded);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
  bytes.set(text, 8);
  bytes.set(data, 8 + padded);
  return bytes;
}

/** @throws {SyntaxError} if it is not whole; the message goes on from "as" */
async function decode(
  bytes: Uint8Array<ArrayBuffer>,
): Promise<{ numbers: Numbers; metadata: Record<string, string> }> {
  if (bytes.length < 8) throw new SyntaxError(`it must have a header: current size is ${bytes.length} bytes`);
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  if (length > MAX_HEADER || 8 + length > bytes.length) {
    throw new SyntaxError(
      `its header of ${length} bytes must fit into it: current size is ${bytes.length} bytes`,
    );
  }
  const { __metadata__: metadata = {}, ...tensors } = JSON.parse(
    new TextDecoder().decode(bytes.subarray(8, 8 + length)),
  ) as {
    __metadata__?: Record<string, string>;
  } & Record<string, { data_offsets: [number, number] }>;
  const data = bytes.slice(8 + length);
  if (metadata["sha256"] !== await sha256(data)) {
    throw new SyntaxError("its numbers must be as they were written: it was cut off or changed");
  }
  const numbers: Numbers = new Map(
    Object.entries(tensors).map(([name, { data_offsets: [start, end] }]) => [
      name,
      new Float32Array(data.buffer, start, (end - start) / 4),
    ]),
  );
  return { numbers, metadata };
}
