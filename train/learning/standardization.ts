/**
 * Standardization: inputs with mean 0 and deviation 1 over the training images are easier to learn from
 * (LeCun et al., Efficient BackProp, 1998). It is linear, so on export it becomes part of the first layer, and the
 * model still takes pixels in 0..1.
 *
 * @module
 */
import type { Dataset } from "../dataset/mod.ts";
import type { LinearWeights } from "./mlp.ts";

/** Mean and deviation of each input. */
export interface Standardization {
  /** `[inputs]` */
  mean: Float32Array;
  /** `[inputs]`, above 0 */
  deviation: Float32Array;
}

/** Minimum deviation as a share of the mean deviation, so that the noise of constant inputs is not amplified. */
const MIN_DEVIATION = 0.05;

/**
 * Measures the training images: each feature of a backbone by itself, and all pixels of a channel together, as
 * pixels at the edge of an image may hardly vary.
 *
 * @param indices images of the training split
 */
export function measureInputs(
  { train, channels }: Pick<Dataset, "train" | "channels">,
  indices: Uint32Array,
): Standardization {
  const { features, images, count } = train;
  const size = features?.size ?? images.length / count;
  const sum = new Float64Array(size), squares = new Float64Array(size);
  for (const index of indices) {
    const start = features ? index * features.views * size : index * size;
    for (let i = 0; i < size; i++) {
      const value = features ? features.values[start + i]! : images[start + i]! / 255;
      sum[i]! += value;
      squares[i]! += value * value;
    }
  }
  const group = features ? 1 : size / channels;
  const mean = new Float32Array(size), deviation = new Float32Array(size);
  for (let start = 0; start < size; start += group) {
    let groupSum = 0, groupSquares = 0;
    for (let i = start; i < start + group; i++) {
      groupSum += sum[i]!;
      groupSquares += squares[i]!;
    }
    const average = groupSum / (group * indices.length);
    const variance = Math.max(0, groupSquares / (group * indices.length) - average * average);
    mean.fill(average, start, start + group);
    deviation.fill(Math.sqrt(variance), start, start + group);
  }
  const least = MIN_DEVIATION * deviation.reduce((total, value) => total + value, 0) / size;
  for (let i = 0; i < size; i++) deviation[i] = Math.max(deviation[i]!, least) || 1;
  return { mean, deviation };
}

/** Folds a standardization of the input into a layer: `A((x − m)/d) + b = (A/d)x + (b − (A/d)m)`. */
export function foldStandardization(
  { inFeatures, outFeatures, weight, bias }: LinearWeights,
  { mean, deviation }: Standardization,
): LinearWeights {
  const folded = new Float32Array(weight.length), shifted = new Float32Array(bias);
  for (let out = 0; out < outFeatures; out++) {
    let shift = 0;
    for (let i = 0; i < inFeatures; i++) {
      const scaled = weight[out * inFeatures + i]! / deviation[i]!;
      folded[out * inFeatures + i] = scaled;
      shift += scaled * mean[i]!;
    }
    shifted[out]! -= shift;
  }
  return { inFeatures, outFeatures, weight: folded, bias: shifted };
}
