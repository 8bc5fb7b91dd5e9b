/**
 * Classifies pictures with an ONNX model on Deno and workerd. Browsers use `@selvedge/selvedge/classifier/browser`.
 *
 * @module
 */
export { Classifier, type ClassifyOptions, MAX_PIXELS, type ScoredLabel, type Scores } from "./classifier.ts";
export type { CreateSession, Session } from "./session.ts";
export type { ImageShape, Metrics, ModelDescription, Provenance } from "../contract.ts";
export type { Image, Preprocessing } from "../image.ts";
export { InputError, type InputErrorCode, type InputErrorOptions } from "../errors.ts";
