/**
 * The heavy half of the page, fetched only by those who run the model in the browser.
 *
 * @module
 */
import { Classifier } from "../../../shared/inference/browser.ts";
import { ORT_WASM, ROOM } from "../names.ts";

/** Loads an ONNX file. */
export async function load(bytes: Uint8Array<ArrayBuffer>): Promise<Classifier> {
  return await Classifier.load(bytes, { wasm: ROOM + ORT_WASM });
}
