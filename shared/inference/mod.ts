/**
 * Classifies pictures with an ONNX model on Deno and workerd. Browsers use `@selvedge/selvedge/classifier/browser`.
 *
 * @module
 */
export {
  Classifier,
  type ClassifyOptions,
  MAX_PIXELS,
  type ModelIdentity,
  type ScoredLabel,
  type Scores,
} from "./classifier.ts";
export { BaseClassifier, type ImageFamiliarity, type LoadedModel } from "./base_classifier.ts";
export type { CreateSession, Session } from "./session.ts";
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
