/**
 * Models of photographs: a backbone with an untrained head, whose answers depend on the whole image.
 *
 * @module
 */
import { PHOTO_FITS, type PhotoFit } from "../../shared/image.ts";
import { writeOnnx } from "../../shared/onnx/write.ts";
import { Random } from "../../shared/random.ts";
import { mlpToOnnx } from "../../train/artifact/export.ts";
import { attachHead } from "../../train/backbone/attach.ts";
import type { Backbone } from "../../train/backbone/backbone.ts";

/**
 * @param fit how the model's photographs are fitted
 * @returns an ONNX file that keeps the contract
 */
export function photoModel(backbone: Backbone, fit: PhotoFit): Uint8Array<ArrayBuffer> {
  const labels = ["one", "two", "three", "four", "five"];
  const random = new Random(4);
  const weight = Float32Array.from(
    { length: labels.length * backbone.size },
    () => 8 * (random.uniform() - 0.5) / Math.sqrt(backbone.size),
  );
  const layer = {
    inFeatures: backbone.size,
    outFeatures: labels.length,
    weight,
    bias: new Float32Array(labels.length),
  };
  const head = writeOnnx(mlpToOnnx([layer], {
    name: "photos",
    labels,
    input: backbone.input,
    preprocessing: PHOTO_FITS[fit],
    provenance: {
      dataset: { name: "Photos", sha256: "0".repeat(64) },
      recipe: {},
      seed: 4,
      backend: "cpu",
      codeVersion: "0.0.0",
    },
  }));
  return attachHead(backbone, head, false);
}
