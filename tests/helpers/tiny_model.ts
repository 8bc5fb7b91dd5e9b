/**
 * A model small enough to be understood: images of 3×2 pixels and three labels, each the sum of one column.
 * It stands in for the shipped model where a test is about the application, and shows that the application
 * follows whatever model it is given.
 *
 * @module
 */
import { writeOnnx } from "../../shared/onnx/write.ts";
import { mlpToOnnx } from "../../train/artifact/export.ts";

/**
 * @param options.measured whether the file says how good the model is
 * @returns an ONNX file that keeps the contract
 */
export function tinyModel({ measured = true } = {}): Uint8Array<ArrayBuffer> {
  const weight = new Float32Array(3 * 6);
  for (let label = 0; label < 3; label++) weight[label * 6 + label] = weight[label * 6 + label + 3] = 1;
  const layer = { inFeatures: 6, outFeatures: 3, weight, bias: new Float32Array(3) };
  return writeOnnx(mlpToOnnx([layer], {
    name: "columns",
    labels: ["left", "middle", "<right>"],
    input: { channels: 1, height: 2, width: 3 },
    provenance: {
      dataset: { name: "Columns", sha256: "0".repeat(64) },
      recipe: { epochs: 1 },
      seed: 7,
      backend: "cpu",
      codeVersion: "0.0.0",
    },
    ...(measured && { metrics: { test: { images: 10, accuracy: 0.9, loss: 0.5 } } }),
  }));
}
