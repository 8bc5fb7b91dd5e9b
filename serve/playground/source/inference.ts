/**
 * The heavy half of the page, fetched only by those who run the model in the browser. Pages on other origins may
 * import it too (docs/front-end.md).
 *
 * @module
 */
import { Classifier } from "../../../shared/inference/browser.ts";
import { ORT_WASM } from "../names.ts";

export { decode as readPicture } from "./decode.ts";

/** Loads an ONNX file. */
export async function load(bytes: Uint8Array<ArrayBuffer>): Promise<Classifier> {
  // Beside this file, on whichever origin.
  return await Classifier.load(bytes, { wasm: new URL(ORT_WASM, import.meta.url) });
}
