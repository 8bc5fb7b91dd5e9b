/**
 * From pictures to labels: one ONNX model that follows the contract, run by ONNX Runtime Web on Deno and workerd.
 * The same class answers requests in `serve/` and measures files in `train/`.
 *
 * @module
 */
import type { ModelDescription } from "../contract.ts";
import { decodePicture } from "../decode/picture.ts";
import type { Image } from "../image.ts";
import { BaseClassifier, type ClassifyOptions, loadModel, type ScoredLabel } from "./base_classifier.ts";
import { createSession } from "./ort.ts";
import type { CreateSession } from "./session.ts";

export {
  type ClassifyOptions,
  type ImageFamiliarity,
  scale,
  type ScoredLabel,
  type Scores,
} from "./base_classifier.ts";

/** A name and a version that a model has in place of those of its file. */
export type ModelIdentity = Partial<Pick<ModelDescription, "name" | "version">>;

/** The most pixels of a picture that {@linkcode Classifier.classify} decodes: 2^24, as of a 16 megapixel camera. */
export const MAX_PIXELS = 4096 * 4096;

/**
 * A model that is loaded and ready, on Deno and workerd.
 *
 * @example
 * ```ts
 * import { Classifier } from "@selvedge/selvedge/classifier";
 *
 * const model = await Deno.readFile("shared/artifacts/fashion-mnist/model.onnx");
 * const picture = await Deno.readFile("fixtures/shirt.png");
 * const classifier = await Classifier.load(model);
 * const [best] = await classifier.classify(picture);
 * console.assert(best !== undefined && best.score > 0 && best.score <= 1);
 * await classifier.close();
 * ```
 */
export class Classifier extends BaseClassifier {
  /**
   * Loads a model.
   *
   * @param bytes an ONNX file that follows the contract
   * @param create the build of ONNX Runtime that runs it
   * @param identity a name and a version in place of those of the file
   * @throws {InputError} `invalid-format` if the bytes are not an ONNX file, `unsupported` if the file does not follow
   * the contract
   */
  static async load(
    bytes: Uint8Array<ArrayBuffer>,
    create: CreateSession = createSession,
    identity?: ModelIdentity,
  ): Promise<Classifier> {
    const { description, ...loaded } = await loadModel(bytes, create);
    return new Classifier({ ...loaded, description: { ...description, ...identity } });
  }

  /**
   * Classifies one picture: decodes it, fits it into the model's input, as the training images were, and runs the
   * model.
   *
   * @param picture a PNG, JPEG or WebP file of at most {@linkcode MAX_PIXELS} pixels, or decoded pixels of any size
   * @returns the most probable classes, best first
   * @throws {InputError} `invalid-format`, `unsupported` or `too-large` if the file cannot be decoded,
   * `invalid-value` if `top` is not a positive integer or the model's input is neither grey nor RGB,
   * `invalid-shape` if the pixels do not match their size
   */
  override async classify(
    picture: Uint8Array<ArrayBuffer> | Image,
    options?: ClassifyOptions,
  ): Promise<ScoredLabel[]> {
    const image = picture instanceof Uint8Array
      ? await decodePicture(picture, { maxPixels: MAX_PIXELS })
      : picture;
    return await super.classify(image, options);
  }
}
