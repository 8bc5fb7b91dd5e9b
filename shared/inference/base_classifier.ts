/**
 * What a classifier does on every runtime: it runs one ONNX model and names the classes. `classifier.ts` adds
 * ONNX Runtime for Deno and workerd, `browser.ts` the one for browsers.
 *
 * @module
 */
import {
  describeModel,
  FAMILIARITY,
  INPUT,
  LOGITS,
  type ModelDescription,
  PROBABILITIES,
} from "../contract.ts";
import { InputError } from "../errors.ts";
import { fitImage, type Image } from "../image.ts";
import type { CreateSession, Session } from "./session.ts";

/** What the model computes for a batch, row-major. */
export interface Scores {
  /** `[N, classes]` */
  logits: Float32Array;
  /** `[N, classes]`, each row sums to 1 */
  probabilities: Float32Array;
  /** `[N]`, 0..1; absent for models without the output */
  familiarity?: Float32Array;
}

/** How much an image resembles those that the model was trained on. */
export interface ImageFamiliarity {
  /** 0..1: the share of the validation images that are less familiar. */
  familiarity: number;
  /** Whether it is below the model's threshold: the scores mean little then. */
  unfamiliar: boolean;
}

/**
 * One class and how probable it is. What {@linkcode BaseClassifier.classify} returns also has the familiarity of the
 * image, the same for each of its classes, if the model has that output.
 */
export interface ScoredLabel extends Partial<ImageFamiliarity> {
  /** The name of the class. */
  label: string;
  /** Index into the model's labels. */
  classIndex: number;
  /** Probability in 0..1. */
  score: number;
}

/** What a subclass loads for {@linkcode BaseClassifier}. */
export interface LoadedModel {
  /** What the file says about itself. */
  description: ModelDescription;
  /** The ONNX file. */
  file: Uint8Array<ArrayBuffer>;
  /** Runs it. */
  session: Session;
}

/**
 * Checks an ONNX file against the model contract and starts a session.
 *
 * @throws {InputError} `invalid-format` if the bytes are not an ONNX file, `unsupported` if the file does not follow
 * the contract
 */
export async function loadModel(file: Uint8Array<ArrayBuffer>, create: CreateSession): Promise<LoadedModel> {
  const description = await describeModel(file);
  return { description, file, session: await create(file) };
}

/** How {@linkcode BaseClassifier.classify} treats a picture. */
export interface ClassifyOptions {
  /** How many classes to return, best first: an integer from 1 up; more than the model has returns all. 3 by default. */
  top?: number;
  /** Whether the margin around the object is trimmed, as in Fashion-MNIST; true by default. */
  crop?: boolean;
}

/** A model that is loaded and ready. */
export abstract class BaseClassifier {
  /** What the file says about itself. */
  readonly description: ModelDescription;
  /** How many numbers one image has: channels × height × width. */
  readonly imageSize: number;
  /** The ONNX file. */
  readonly file: Uint8Array<ArrayBuffer>;
  readonly #session: Session;

  /** Use `load()` of a subclass. */
  protected constructor({ description, file, session }: LoadedModel) {
    const { channels, height, width } = description.input;
    this.description = description;
    this.imageSize = channels * height * width;
    this.file = file;
    this.#session = session;
  }

  /**
   * Classifies one picture: fits it into the model's input, as the training images were, and runs the model.
   *
   * @param picture of any size, 8 bits a channel
   * @returns the most probable classes, best first
   * @throws {InputError} `invalid-value` if `top` is not a positive integer or the model's input is neither grey
   * nor RGB, `invalid-shape` if the picture's data does not match its size
   */
  async classify(picture: Image, options: ClassifyOptions = {}): Promise<ScoredLabel[]> {
    const { top = 3, crop = true } = options;
    if (!Number.isInteger(top) || top < 1) {
      throw new InputError(
        "invalid-value",
        `Cannot classify as top must be a positive integer: current value is ${top}`,
      );
    }
    const { input, preprocessing } = this.description;
    const pixels = fitImage(picture, { ...input, crop, ...(preprocessing && { preprocessing }) });
    const scores = await this.run(pixels);
    const familiarity = this.familiarityOf(scores, 0);
    return this.top(scores.probabilities, top)[0]!.map((label) => ({ ...label, ...familiarity }));
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
    return {
      logits: outputs[LOGITS]!,
      probabilities: outputs[PROBABILITIES]!,
      ...(this.description.familiarity && { familiarity: outputs[FAMILIARITY]! }),
    };
  }

  /**
   * How familiar one image of a batch is.
   *
   * @param scores of the batch
   * @param index of the image, from 0
   * @returns undefined if the model has no such output
   */
  familiarityOf({ familiarity }: Scores, index: number): ImageFamiliarity | undefined {
    const threshold = this.description.familiarity?.threshold;
    const value = familiarity?.[index];
    if (threshold === undefined || value === undefined) return undefined;
    return { familiarity: value, unfamiliar: value < threshold };
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
      const row = labels.map((label, i) => ({ label, classIndex: i, score: probabilities[start + i]! }));
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
