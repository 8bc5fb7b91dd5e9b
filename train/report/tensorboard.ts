/**
 * TensorBoard's event files: a protobuf message per measurement, in TFRecords, with the field numbers of
 * https://github.com/tensorflow/tensorboard/blob/2.21.0/tensorboard/compat/proto/event.proto and
 * summary.proto. `tensorboard --logdir DIR` shows them during the run.
 *
 * @module
 */
import { join } from "node:path";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { InputError } from "../../shared/errors.ts";
import type { EpochSummary, TrainingListener } from "../learning/events.ts";
import { tfRecord } from "./tfrecord.ts";

/** How often the loss is read: reading waits for the device. */
const INTERVAL_STEPS = 10;

const EVENT = { wallTime: 1, step: 2, fileVersion: 3, summary: 5, sessionLog: 7 } as const;
const SESSION_LOG = { status: 1 } as const;
const SUMMARY = { value: 1 } as const;
const VALUE = { tag: 1, simpleValue: 2, tensor: 8, metadata: 9 } as const;
const METADATA = { pluginData: 1, dataClass: 4 } as const;
const PLUGIN_DATA = { name: 1 } as const;
const TENSOR = { type: 1, shape: 2, strings: 8 } as const;
const SHAPE = { dimension: 2 } as const;
const DIMENSION = { size: 1 } as const;
/** `SessionLog.START`, `DataType.DT_STRING`, `DataClass.DATA_CLASS_TENSOR` */
const START = 1, STRING = 7, TENSOR_CLASS = 2;

/** One line of an event file. */
export type BoardEvent =
  & {
    /** Seconds since 1970. */
    wallTime: number;
    /** Where on the x axis. */
    step: number;
  }
  & (
    /** The first event of every file. */
    | { fileVersion: string }
    /** A run starts or continues here: later steps in older files of the folder are out of date. */
    | { start: true }
    /** Numbers by tag; a tag's part before the slash is its group on the page. */
    | { scalars: Record<string, number> }
    /** Markdown under a tag. */
    | { tag: string; text: string }
  );

/** Encodes one event as protobuf, without the frame of the record. */
export function encodeEvent(event: BoardEvent): Uint8Array {
  const out = new BinaryWriter();
  out.tag(EVENT.wallTime, WireType.Bit64).double(event.wallTime);
  if (event.step !== 0) out.tag(EVENT.step, WireType.Varint).int64(event.step);
  if ("fileVersion" in event) {
    out.tag(EVENT.fileVersion, WireType.LengthDelimited).string(event.fileVersion);
  } else if ("start" in event) {
    message(out, EVENT.sessionLog, () => out.tag(SESSION_LOG.status, WireType.Varint).int32(START));
  } else if ("scalars" in event) {
    message(out, EVENT.summary, () => {
      for (const [tag, value] of Object.entries(event.scalars)) {
        message(out, SUMMARY.value, () => {
          out.tag(VALUE.tag, WireType.LengthDelimited).string(tag);
          out.tag(VALUE.simpleValue, WireType.Bit32).float(Math.fround(value));
        });
      }
    });
  } else {
    message(out, EVENT.summary, () => message(out, SUMMARY.value, () => writeText(out, event)));
  }
  return out.finish();
}

/** Text is a tensor of one string for the text plug-in. */
function writeText(out: BinaryWriter, { tag, text }: { tag: string; text: string }): void {
  out.tag(VALUE.tag, WireType.LengthDelimited).string(tag);
  message(out, VALUE.tensor, () => {
    out.tag(TENSOR.type, WireType.Varint).int32(STRING);
    message(out, TENSOR.shape, () => {
      message(out, SHAPE.dimension, () => out.tag(DIMENSION.size, WireType.Varint).int64(1));
    });
    out.tag(TENSOR.strings, WireType.LengthDelimited).bytes(new TextEncoder().encode(text));
  });
  message(out, VALUE.metadata, () => {
    message(out, METADATA.pluginData, () => {
      out.tag(PLUGIN_DATA.name, WireType.LengthDelimited).string("text");
    });
    out.tag(METADATA.dataClass, WireType.Varint).int32(TENSOR_CLASS);
  });
}

function message(out: BinaryWriter, field: number, write: () => void): void {
  out.tag(field, WireType.LengthDelimited).fork();
  write();
  out.join();
}

/** The settings of a run. */
export interface BoardRun {
  name: string;
  dataset: string;
  recipe: object;
  seed: number;
  backend: string;
  /** The step to continue after; 0, the default, for a new run. */
  step?: number;
}

/**
 * Writes a run's measurements into `DIR/<name>`. Every process writes its own file there, so a resumed run adds to the
 * earlier ones, and a crash cannot damage them.
 */
export class TensorBoard {
  /** The event file. */
  readonly file: string;
  #pending: Uint8Array<ArrayBuffer>[] = [];

  private constructor(file: string) {
    this.file = file;
  }

  /**
   * Creates a file and writes the run's settings.
   *
   * @throws {InputError} if it cannot be written
   */
  static async open(folder: string, run: BoardRun): Promise<TensorBoard> {
    const board = new TensorBoard(await createEventFile(join(folder, run.name)));
    const step = (run.step ?? 0) + 1;
    board.#add({ wallTime: now(), step: 0, fileVersion: "brain.Event:2" });
    board.#add({ wallTime: now(), step, start: true });
    board.#add({ wallTime: now(), step, tag: "run", text: describe(run) });
    await board.flush();
    return board;
  }

  /** Adds numbers within an epoch.
   *
   * @param step of the whole run */
  step(step: number, { loss, imagesPerSecond }: { loss: number; imagesPerSecond: number }): void {
    this.#add({
      wallTime: now(),
      step,
      scalars: { "step/loss": loss, "step/images_per_second": imagesPerSecond },
    });
  }

  /**
   * Adds an epoch's numbers and writes all pending events.
   *
   * @param step steps of the run so far: the x axis of all plots, as TensorBoard merges a resumed run by step
   * @throws {InputError} if it cannot be written
   */
  async epoch(
    step: number,
    { epoch, trainLoss, validation, learningRate, imagesPerSecond }: EpochSummary,
  ): Promise<void> {
    this.#add({
      wallTime: now(),
      step,
      scalars: {
        "epoch/number": epoch,
        "loss/training": trainLoss,
        ...(validation && { "loss/validation": validation.loss, "accuracy/validation": validation.accuracy }),
        "epoch/learning_rate": learningRate,
        "epoch/images_per_second": imagesPerSecond,
      },
    });
    await this.flush();
  }

  /**
   * Writes all pending events in one operation.
   *
   * @throws {InputError} if it cannot be written
   */
  async flush(): Promise<void> {
    const bytes = new Uint8Array(await new Blob(this.#pending).arrayBuffer());
    try {
      await Deno.writeFile(this.file, bytes, { append: true, create: false });
    } catch (cause) {
      throw unwritable(this.file, cause);
    }
    this.#pending = [];
  }

  #add(event: BoardEvent): void {
    this.#pending.push(tfRecord(encodeEvent(event)));
  }
}

/**
 * A listener that writes the measurements of a run.
 *
 * @param board of the run
 */
export function tensorBoardListener(board: TensorBoard): TrainingListener {
  let epochStartedMs = performance.now(), steps = 0;
  return {
    async onStep({ step, totalSteps, images, readLoss }): Promise<void> {
      steps = totalSteps;
      if (step === 1) epochStartedMs = performance.now();
      if (step % INTERVAL_STEPS !== 0) return;
      const imagesPerSecond = images / (performance.now() - epochStartedMs) * 1000;
      board.step(totalSteps, { loss: await readLoss(), imagesPerSecond });
    },
    onEpoch: (summary) => board.epoch(steps, summary),
  };
}

/** TensorBoard reads all files with "tfevents" in their names, in the order of the names. */
async function createEventFile(folder: string): Promise<string> {
  const startedMs = Date.now();
  // The counter separates files of the same millisecond: createNew fails if a name is taken.
  for (let i = 0;; i++) {
    const file = join(folder, `events.out.tfevents.${startedMs}.${String(i).padStart(4, "0")}.selvedge`);
    try {
      await Deno.mkdir(folder, { recursive: true });
      await Deno.writeFile(file, new Uint8Array(), { createNew: true });
      return file;
    } catch (cause) {
      if (cause instanceof Deno.errors.AlreadyExists && await isFile(file)) continue;
      throw unwritable(file, cause);
    }
  }
}

async function isFile(path: string): Promise<boolean> {
  return await Deno.stat(path).then((info) => info.isFile, () => false);
}

function unwritable(file: string, cause: unknown): InputError {
  return new InputError(
    "unavailable",
    `Cannot write TensorBoard events to "${file}": ${(cause as Error).message}`,
    {
      cause,
      hint: "Choose another folder with --tensorboard",
    },
  );
}

function describe({ name, dataset, recipe, seed, backend }: BoardRun): string {
  const rows = Object.entries({ name, dataset, seed, backend, ...prefixed(recipe) });
  return [
    "| setting | value |",
    "| --- | --- |",
    ...rows.map(([key, value]) => `| ${key} | ${JSON.stringify(value)} |`),
  ]
    .join("\n");
}

/** Keys of the recipe, of which `name` is one too. */
function prefixed(recipe: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(recipe).map(([key, value]) => [`recipe.${key}`, value]));
}

function now(): number {
  return Date.now() / 1000;
}
