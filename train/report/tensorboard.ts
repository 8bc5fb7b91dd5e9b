/**
 * TensorBoard's event files: a protobuf message per measurement, in TFRecords, with the field numbers of
 * https://github.com/tensorflow/tensorboard/blob/2.21.0/tensorboard/compat/proto/event.proto and
 * summary.proto. `tensorboard --logdir DIR` shows them while the run goes on.
 *
 * @module
 */
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { EpochSummary } from "../learning/events.ts";
import { tfRecord } from "./tfrecord.ts";

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
    /** What every file begins with. */
    | { fileVersion: string }
    /** A run begins or goes on here: what an older file of the folder has from this step on is out of date. */
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

/** Text is a tensor of one string that the page's text plug-in is told to show. */
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

/** What a run is, for the page's text. */
export interface BoardRun {
  name: string;
  dataset: string;
  recipe: object;
  seed: number;
  backend: string;
  /** The step to go on after; 0, the default, for a run that begins. */
  step?: number;
}

/**
 * Writes a run's measurements into `DIR/<name>`. Every process writes a file of its own there, so a resumed
 * run adds to what there is, and no crash can harm it.
 */
export class TensorBoard {
  /** The event file. */
  readonly file: string;
  #waiting: Uint8Array<ArrayBuffer>[] = [];

  private constructor(file: string) {
    this.file = file;
  }

  /**
   * Begins a file and writes down what the run is.
   *
   * @throws {Error} if it cannot be written
   */
  static async open(folder: string, run: BoardRun): Promise<TensorBoard> {
    // TensorBoard takes any file with "tfevents" in its name and reads them in the order of their names.
    const name = `events.out.tfevents.${Date.now()}.${Deno.pid}.selvedge`;
    const board = new TensorBoard(`${folder.replace(/(.)\/+$/, "$1")}/${run.name}/${name}`);
    const step = (run.step ?? 0) + 1;
    board.#add({ wallTime: now(), step: 0, fileVersion: "brain.Event:2" });
    board.#add({ wallTime: now(), step, start: true });
    board.#add({ wallTime: now(), step, tag: "run", text: describe(run) });
    await board.#write(async () => {
      await Deno.mkdir(`${folder}/${run.name}`, { recursive: true });
      await Deno.writeFile(board.file, new Uint8Array(), { createNew: true });
    });
    await board.flush();
    return board;
  }

  /** Notes numbers within an epoch, after so many steps of the run. */
  step(step: number, { loss, imagesPerSecond }: { loss: number; imagesPerSecond: number }): void {
    this.#add({
      wallTime: now(),
      step,
      scalars: { "step/loss": loss, "step/images_per_second": imagesPerSecond },
    });
  }

  /**
   * Notes an epoch's numbers and writes all that waits.
   *
   * @param step how many steps the run has done: one x axis for all, as a resumed run is cut off by step
   * @throws {Error} if it cannot be written
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
   * Writes all that waits, in one piece.
   *
   * @throws {Error} if it cannot be written
   */
  async flush(): Promise<void> {
    const bytes = new Uint8Array(await new Blob(this.#waiting).arrayBuffer());
    await this.#write(() => Deno.writeFile(this.file, bytes, { append: true, create: false }));
    this.#waiting = [];
  }

  #add(event: BoardEvent): void {
    this.#waiting.push(tfRecord(encodeEvent(event)));
  }

  async #write(write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (cause) {
      throw new Error(
        `Cannot write TensorBoard events to "${this.file}": ${(cause as Error).message}. ` +
          "Choose another folder with --tensorboard",
        { cause },
      );
    }
  }
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

/** The recipe has a name too. */
function prefixed(recipe: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(recipe).map(([key, value]) => [`recipe.${key}`, value]));
}

function now(): number {
  return Date.now() / 1000;
}
