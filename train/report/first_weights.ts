/** The first layer's weights as images, one for each hidden unit. */
import { count as format } from "../../shared/format.ts";
import { INPUT } from "../../shared/contract.ts";
import type { OnnxModel } from "../../shared/onnx/schema.ts";
import type { Picture } from "./picture.ts";
import { dataUri } from "./pixels.ts";

/** Columns and rows of tiles. */
const COLUMNS = 8, ROWS = 8;
/** Pixels between tiles, and the largest magnification of a pixel. */
const GAP = 2, MAX_SCALE = 3;

/** Weights of the first layer. */
export interface FirstLayer {
  channels: number;
  height: number;
  width: number;
  /** `[features, channels · height · width]`, row-major. */
  weights: Float32Array;
}

/** Finds the weights of the pixels, or undefined if the first layer is not fully connected. */
export function firstLayer({ inputs, nodes, initializers }: OnnxModel): FirstLayer | undefined {
  const [, channels, height, width] = inputs.find(({ name }) => name === INPUT)?.shape ?? [];
  const name = nodes.find(({ op }) => op === "Gemm")?.inputs[1];
  const matrix = initializers.find((tensor) => tensor.name === name);
  if (typeof channels !== "number" || typeof height !== "number" || typeof width !== "number") {
    return undefined;
  }
  if (matrix?.dims[1] !== channels * height * width) return undefined;
  return { channels, height, width, weights: matrix.data };
}

/**
 * Draws the units with the largest weights, largest first. Opacity shows the magnitude, so that a weight of zero
 * has the colour of the background, in light and dark mode.
 */
export function firstWeights(name: string, layer: FirstLayer): Picture {
  const { width, height } = layer;
  const features = layer.weights.length / (layer.channels * width * height);
  const count = Math.min(features, COLUMNS * ROWS);
  const columns = Math.min(COLUMNS, count), rows = Math.ceil(count / columns);
  const across = columns * (width + GAP) - GAP, down = rows * (height + GAP) - GAP;
  const scale = Math.max(1, Math.min(MAX_SCALE, Math.floor(720 / across)));
  return {
    title: `${name}: first-layer weights`,
    subtitle: `The ${count} units with the largest weights of ${format(features)}${
      layer.channels > 1 ? ", averaged over the channels" : ""
    }. Blue: positive weights, orange: negative.`,
    spec: {
      width: across * scale,
      height: down * scale,
      data: { values: [{ url: dataUri(tiles(layer, count, columns), across, down, 4) }] },
      mark: {
        type: "image",
        width: across * scale,
        height: down * scale,
        aspect: false,
        align: "left",
        baseline: "top",
        smooth: false,
      },
      encoding: { url: { field: "url" }, x: { value: 0 }, y: { value: 0 } },
    },
  };
}

/** The tiles in one image, `[down, across, 4]`. */
function tiles({ channels, height, width, weights }: FirstLayer, count: number, columns: number): Uint8Array {
  const plane = height * width, inputs = channels * plane;
  const features = Array.from({ length: weights.length / inputs }, (_, i) => {
    const feature = new Float64Array(plane);
    for (let j = 0; j < inputs; j++) feature[j % plane]! += weights[i * inputs + j]! / channels;
    return { i, feature, size: feature.reduce((sum, w) => sum + w * w, 0) };
  });
  const strongest = features.sort((a, b) => b.size - a.size || a.i - b.i).slice(0, count);
  // The end of the scale: a few outliers should not make all others pale.
  const sorted = Float64Array.from(strongest.flatMap(({ feature }) => [...feature]), Math.abs).sort();
  const limit = sorted[Math.floor((sorted.length - 1) * 0.995)]! || 1;
  const across = columns * (width + GAP) - GAP, down = Math.ceil(count / columns) * (height + GAP) - GAP;
  const pixels = new Uint8Array(across * down * 4);
  for (const [tile, { feature }] of strongest.entries()) {
    const left = (tile % columns) * (width + GAP), top = Math.floor(tile / columns) * (height + GAP);
    for (let p = 0; p < plane; p++) {
      const value = feature[p]! / limit;
      const at = ((top + Math.floor(p / width)) * across + left + p % width) * 4;
      pixels.set(value > 0 ? [0x1f, 0x7a, 0xe8] : [0xe0, 0x62, 0x0d], at);
      // Sixteen levels are enough here and halve the file size.
      pixels[at + 3] = Math.round(Math.min(Math.abs(value), 1) * 15) * 17;
    }
  }
  return pixels;
}
