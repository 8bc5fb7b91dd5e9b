/**
 * From pixels to labels: one ONNX model that keeps the contract, run by ONNX Runtime Web. The same class
 * answers requests in `serve/` and measures files in `train/`.
 *
 * @module
 */
import { describeModel, INPUT, LOGITS, type ModelDescription, PROBABILITIES } from "../contract.ts";
import { createSession, type InferenceSession, Tensor } from "./ort.ts";

/** What the model computes for a batch, row-major. */
export interface Scores {
  /** `[N, classes]` */
  logits: Float32Array;
  /** `[N, classes]`, each row sums to 1 */
  probabilities: Float32Array;
}

/** One class and how probable it is. */
export interface ScoredLabel {
  label: string;
  /** Index into the model's labels. */
  class_index: number;
  /** Probability in 0..1. */
  score: number;
}

/** A model that is loaded and ready. */
export class Classifier {
  readonly description: ModelDescription;
  readonly #session: InferenceSession;

  private constructor(description: ModelDescription, session: InferenceSession) {
    this.description = description;
    this.#session = session;
  }

  /**
   * Loads a model.
   *
   * @param bytes an ONNX file that keeps the contract
   * @throws {SyntaxError} if the bytes are no ONNX file
   * @throws {TypeError} if the file does not keep the contract
   */
  static async load(bytes: Uint8Array<ArrayBuffer>): Promise<Classifier> {
    const description = await describeModel(bytes);
    return new Classifier(description, await createSession(bytes));
  }

  /** How many numbers one image has: channels × height × width. */
  get imageSize(): number {
    const { channels, height, width } = this.description.input;
    return channels * height * width;
  }

  /**
   * Runs a batch.
   *
   * @param pixels `[N, C, H, W]`, row-major, bytes 0..255
   * @throws {RangeError} if the pixels are not a whole number of images, or none
   */
  async run(pixels: Uint8Array): Promise<Scores> {
    const scaled = new Float32Array(pixels.length);
    // Division, not multiplication by 1/255, to give torchvision's numbers to the last bit.
    for (let i = 0; i < pixels.length; i++) scaled[i] = pixels[i]! / 255;
    return await this.runScaled(scaled);
  }

  /**
   * Runs a batch of pixels that are already in 0..1.
   *
   * @param pixels `[N, C, H, W]`, row-major, 0..1
   * @throws {RangeError} if the pixels are not a whole number of images, or none
   */
  async runScaled(pixels: Float32Array): Promise<Scores> {
    const { channels, height, width } = this.description.input;
    const count = pixels.length / this.imageSize;
    if (!Number.isInteger(count) || count === 0) {
      throw new RangeError(
        `Cannot classify as the pixels must be a positive multiple of ${this.imageSize}: ` +
          `current length is ${pixels.length}`,
      );
    }
    const input = new Tensor("float32", pixels, [count, channels, height, width]);
    const outputs = await this.#session.run({ [INPUT]: input });
    return {
      logits: outputs[LOGITS]!.data as Float32Array,
      probabilities: outputs[PROBABILITIES]!.data as Float32Array,
    };
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
