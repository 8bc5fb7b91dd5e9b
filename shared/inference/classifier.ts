/**
 * From pixels to labels: one ONNX model that keeps the contract, run by ONNX Runtime Web. The same class
 * answers requests in `serve/` and measures files in `train/`.
 *
 * @module
 */
import { describeModel, INPUT, LOGITS, type ModelDescription, PROBABILITIES } from "../contract.ts";
import { InputError } from "../errors.ts";
import { createSession } from "./ort.ts";
import type { CreateSession, Session } from "./session.ts";

/** What the model computes for a batch, row-major. */
export interface Scores {
  /** `[N, classes]` */
  logits: Float32Array;
  /** `[N, classes]`, each row sums to 1 */
  probabilities: Float32Array;
}

/** One class and how probable it is. */
export interface ScoredLabel {
  /** The name of the class. */
  label: string;
  /** Index into the model's labels. */
  class_index: number;
  /** Probability in 0..1. */
  score: number;
}

/** A model that is loaded and ready. */
export class Classifier {
  /** What the file says about itself. */
  readonly description: ModelDescription;
  /** How many numbers one image has: channels × height × width. */
  readonly imageSize: number;
  /** The ONNX file, for those who want to run it themselves. */
  readonly file: Uint8Array<ArrayBuffer>;
  readonly #session: Session;

  private constructor(description: ModelDescription, file: Uint8Array<ArrayBuffer>, session: Session) {
    const { channels, height, width } = description.input;
    this.description = description;
    this.imageSize = channels * height * width;
    this.file = file;
    this.#session = session;
  }

  /**
   * Loads a model.
   *
   * @param bytes an ONNX file that keeps the contract
   * @param create the build of ONNX Runtime that runs it
   * @throws {InputError} if the bytes are not an ONNX file or do not follow the contract
   */
  static async load(
    bytes: Uint8Array<ArrayBuffer>,
    create: CreateSession = createSession,
  ): Promise<Classifier> {
    const description = await describeModel(bytes);
    return new Classifier(description, bytes, await create(bytes));
  }

  /**
   * Runs a batch.
   *
   * @param pixels `[N, C, H, W]`, row-major, bytes 0..255
   * @throws {InputError} `invalid-shape` if the pixels are not a whole number of images, or none
   */
  async run(pixels: Uint8Array): Promise<Scores> {
    return await this.runScaled(scale(pixels));
  }

  /**
   * Runs a batch of pixels that are already in 0..1.
   *
   * @param pixels `[N, C, H, W]`, row-major, 0..1
   * @throws {InputError} `invalid-shape` if the pixels are not a whole number of images, or none
   */
  async runScaled(pixels: Float32Array): Promise<Scores> {
    const { channels, height, width } = this.description.input;
    const count = pixels.length / this.imageSize;
    if (!Number.isInteger(count) || count === 0) {
      throw new InputError(
        "invalid-shape",
        `Cannot classify as the pixels must be a positive multiple of ${this.imageSize}: ` +
          `current length is ${pixels.length}`,
      );
    }
    const outputs = await this.#session.run(INPUT, pixels, [count, channels, height, width]);
    return { logits: outputs[LOGITS]!, probabilities: outputs[PROBABILITIES]! };
  }

  /**
   * The most probable classes of each image, best first; equal scores in the labels' order.
   *
   * @param probabilities `[N, classes]`, row-major
   * @param k how many to keep, from 1 up; more than there are classes gives all
   */
  top(probabilities: Float32Array, k: number): ScoredLabel[][] {
    const { labels } = this.description;
    const rows: ScoredLabel[][] = [];
    for (let start = 0; start < probabilities.length; start += labels.length) {
      const row = labels.map((label, i) => ({ label, class_index: i, score: probabilities[start + i]! }));
      rows.push(row.sort((a, b) => b.score - a.score).slice(0, k));
    }
    return rows;
  }

  /** Frees the session's memory; the classifier cannot be used afterwards. */
  async close(): Promise<void> {
    await this.#session.release();
  }
}

// Division, not multiplication by 1/255, to give torchvision's numbers to the last bit.
const SCALED = Float32Array.from({ length: 256 }, (_, byte) => byte / 255);

/** Pixels of 0..255 as numbers in 0..1. */
export function scale(pixels: Uint8Array): Float32Array {
  const scaled = new Float32Array(pixels.length);
  for (let i = 0; i < pixels.length; i++) scaled[i] = SCALED[pixels[i]!]!;
  return scaled;
}
