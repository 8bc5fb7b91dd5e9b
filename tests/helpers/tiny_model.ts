/**
 * A model small enough to be understood: images of 3×2 pixels and three labels, each the sum of one column.
 * It stands in for the shipped model where a test is about the application, and shows that the application
 * follows whatever model it is given.
 *
 * @module
 */
import { type Reference, REFERENCE_BINS } from "../../shared/contract.ts";
import { writeOnnx } from "../../shared/onnx/write.ts";
import { mlpToOnnx, type ModelInfo } from "../../train/artifact/export.ts";
import { encodePng } from "./png_encoder.ts";

/**
 * With the output `familiarity`, the model prefers grey: an image's familiarity is `1 - Σ(x - 0.5)²`, at least 0, so
 * that a black or white image is unfamiliar.
 *
 * @param options.measured whether the file says how good the model is
 * @param options.familiarity whether it has that output, and the reference statistics
 * @returns an ONNX file that keeps the contract
 */
export function tinyModel({ measured = true, familiarity = false } = {}): Uint8Array<ArrayBuffer> {
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
    ...(familiarity && { familiarity: preferGrey(), reference: REFERENCE }),
  }));
}

function preferGrey(): NonNullable<ModelInfo["familiarity"]> {
  const directions = new Float32Array(6 * 6);
  for (let pixel = 0; pixel < 6; pixel++) directions[pixel * 6 + pixel] = 1;
  return {
    threshold: 0.05,
    kept: 0.95,
    validation: { images: 100, kept: 0.95 },
    score: {
      layers: [0],
      directions,
      offset: new Float32Array(6).fill(0.5),
      knots: new Float32Array([1]),
      slopes: new Float32Array([1]),
    },
  };
}

/** A hundred images: unsure of a few, spread evenly over the classes and the familiarities. */
const REFERENCE: Reference = {
  images: 100,
  confidence: Array.from({ length: REFERENCE_BINS }, (_, bin) => bin < 10 ? 0 : bin < 19 ? 5 : 55),
  classes: [34, 33, 33],
  familiarity: Array.from({ length: REFERENCE_BINS }, () => 5),
};

/** A PNG of 3×2 pixels of which {@linkcode tinyModel} says "middle". */
export function middlePicture(): Uint8Array<ArrayBuffer> {
  const format = { depth: 8, colour: 0, interlaced: false, filters: [0] };
  return encodePng({ width: 3, height: 2, ...format, sample: (x) => x === 1 ? 255 : 0 });
}
