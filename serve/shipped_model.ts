/**
 * The model that ships with the project. It is part of the program: the same import gives a `Uint8Array` in
 * Deno and, by a rule in wrangler.toml, an `ArrayBuffer` in workerd.
 *
 * @module
 */
import model from "../shared/artifacts/fashion-mnist/model.onnx" with { type: "bytes" };

/** An ONNX file that follows the contract. */
export const shippedModel: Uint8Array<ArrayBuffer> = new Uint8Array(model);
