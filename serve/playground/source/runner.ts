/**
 * Who runs the model for the page: the server, or the page itself.
 *
 * @module
 */
import type { Scores } from "../../../shared/inference/classifier.ts";

/** Scores, and how long they took. */
export interface Answer extends Scores {
  /** From asking to having, in ms. */
  ms: number;
}

/** Runs the model. */
export interface Runner {
  /** How long one of many batches may take, in ms, so that other requests or input events are not kept waiting. */
  readonly batchMs: number;
  /**
   * Classifies a batch.
   *
   * @param pixels `[N, C, H, W]`, row-major, 0..255
   * @throws {Trouble} with a message for the user of the page
   */
  run(pixels: Uint8Array<ArrayBuffer>): Promise<Answer>;
}

/** Something that went wrong, said so that it can be shown. */
export class Trouble extends Error {}

/** The server wants an API key, or another one. */
export class KeyTrouble extends Trouble {}
