/**
 * The classifier for browsers. They compile WebAssembly from a URL, so ONNX Runtime needs only the address of its
 * program; pictures are decoded by the browser.
 *
 * @module
 */
import * as ort from "onnxruntime-web/wasm";
import { BaseClassifier, loadModel } from "./base_classifier.ts";
import { startSession } from "./session.ts";

export {
  BaseClassifier,
  type ClassifyOptions,
  type ImageFamiliarity,
  type LoadedModel,
  type ScoredLabel,
  type Scores,
} from "./base_classifier.ts";
export type {
  Familiarity,
  ImageShape,
  Metrics,
  ModelDescription,
  Provenance,
  Reference,
} from "../contract.ts";
export { type Image, PHOTO_FITS, type PhotoFit, type Preprocessing, PREPROCESSINGS } from "../image.ts";
export { InputError, type InputErrorCode, type InputErrorOptions } from "../errors.ts";
export type { CreateSession, Session } from "./session.ts";

/** Where a browser finds ONNX Runtime. */
export interface BrowserOptions {
  /**
   * Address of `ort-wasm-simd-threaded.wasm` from the npm package onnxruntime-web 1.30.0. ONNX Runtime loads it once
   * a page: later calls use the program of the first.
   */
  wasm: string | URL;
}

/**
 * A model that is loaded and ready, in a browser. To classify what a canvas shows, pass
 * `{ width, height, channels: 4, data: new Uint8Array(imageData.data) }`.
 *
 * @example
 * ```js
 * import { Classifier } from "@selvedge/selvedge/classifier/browser";
 *
 * const response = await fetch("/models/fashion-mnist.onnx");
 * const classifier = await Classifier.load(new Uint8Array(await response.arrayBuffer()), {
 *   wasm: "/ort-wasm-simd-threaded.wasm",
 * });
 * const { width, height } = canvas;
 * const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
 * const [best] = await classifier.classify({ width, height, channels: 4, data: new Uint8Array(data) });
 * ```
 */
export class Classifier extends BaseClassifier {
  /**
   * Loads a model.
   *
   * @param bytes an ONNX file that follows the contract
   * @throws {InputError} `invalid-format` if the bytes are not an ONNX file, `unsupported` if the file does not follow
   * the contract
   * @throws {Error} of ONNX Runtime if its program cannot be fetched or compiled
   */
  static async load(bytes: Uint8Array<ArrayBuffer>, { wasm }: BrowserOptions): Promise<Classifier> {
    const create = async (model: Uint8Array): ReturnType<typeof startSession> => {
      ort.env.wasm.wasmPaths = { wasm: new URL(wasm, globalThis.location?.href) };
      return await startSession(ort, model);
    };
    return new Classifier(await loadModel(bytes, create));
  }
}
