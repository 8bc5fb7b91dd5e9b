/**
 * What the server tells the page of the model.
 *
 * @module
 */
import type { ImageShape } from "../../../shared/contract.ts";
import type { Preprocessing } from "../../../shared/image.ts";

/** It is in the page as JSON, in the attribute `data-model`. */
export interface PageModel {
  name: string;
  version: string;
  labels: readonly string[];
  input: ImageShape;
  /** How pictures are fitted into the input. */
  preprocessing?: Preprocessing;
  /** Below this familiarity, 0..1, a picture is unlike the training images; absent if the model has no such output. */
  familiarity?: number;
  /** Bytes of the model's file. */
  fileBytes: number;
  /** Images of a request. */
  maxImages: number;
  /** Bytes of a request's body. */
  maxBytes: number;
  /** Whether the server answers only those who bring an API key. */
  needsKey: boolean;
  /** Whether the server stores pictures with their right label. */
  takesFeedback: boolean;
  /** Whether there are example pictures. */
  hasExamples: boolean;
}
