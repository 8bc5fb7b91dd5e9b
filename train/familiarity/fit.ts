/**
 * Fits the familiarity of a trained network: how much an image resembles the images that it was trained on.
 *
 * @module
 */
import type { ImageShape } from "../../shared/contract.ts";
import { Random } from "../../shared/random.ts";
import type { Split } from "../dataset/types.ts";
import type { LinearWeights } from "../learning/mlp.ts";
import { distances, fitDirections } from "./directions.ts";
import { layerOutputs, pixelRows, type Rows, widthOf } from "./features.ts";
import type { FamiliarityScore } from "./graph.ts";
import { CHOOSING_FAMILIES, drawOutliers, type Family, UNSEEN_FAMILIES } from "./outliers.ts";
import { familiarities, quantileTable } from "./quantiles.ts";

/**
 * Number of directions, for a number of features. More are no better on well-trained networks, and after 8 epochs, 64
 * of 1,024 accept dim noise: in the sum over many directions, a large value in one of them has little effect.
 */
function directionsFor(features: number): number {
  return Math.min(features, Math.max(8, Math.min(32, Math.floor(features / 16))));
}

/** The covariance of more features takes minutes; the others are left out. */
const MAX_FEATURES = 2048;

/** More training images do not change the directions. */
const MAX_IMAGES = 10_000;

/** Images of each family: to choose the directions, and to measure the result. */
const OUTLIERS = { pixels: { choosing: 500, measuring: 256 }, backbone: { choosing: 32, measuring: 16 } };

/** The share of the training images that is set aside for the calibration if there are no validation images. */
const CALIBRATION_SHARE = 0.2;

/** A network, and the images that it was trained with. */
export interface FamiliaritySource {
  layers: readonly LinearWeights[];
  /** The shape of one image. */
  shape: ImageShape;
  /** The training split. */
  train: Split;
  /** Images of the split that the network was trained on. */
  trainIndices: Uint32Array;
  /** Images of the split that the familiarity is calibrated on; if there are none, a fifth of the others is used. */
  validationIndices: Uint32Array;
  /** Whether mirrored images are as familiar as the images themselves. */
  mirror: boolean;
  /** The share of these images that the threshold is to keep, 0..1. */
  kept: number;
  /** Seed of all random choices. */
  seed: number;
  /** Turns images `[N, C, H, W]`, 0..255, into features `[N, D]`, if the network takes features. */
  extract?: (images: Uint8Array) => Promise<Float32Array>;
}

/** A fitted familiarity, with its values for some images. */
export interface FittedFamiliarity {
  score: FamiliarityScore;
  /** As in {@linkcode FamiliaritySource}. */
  kept: number;
  /** The familiarity of the images that it was calibrated on, 0..1. */
  validation: Float64Array;
  /** The familiarity of other images of each family, 0..1; the directions were not chosen by these images. */
  outliers: { family: Family; chosenBy: boolean; values: Float64Array }[];
  /** Computes it for images of a split, as the ONNX file will. */
  of(split: Split): Promise<Float64Array>;
  seconds: number;
}

/** Fits the familiarity of a network. */
export async function fitFamiliarity(source: FamiliaritySource): Promise<FittedFamiliarity> {
  const started = performance.now();
  const { layers, train, seed } = source;
  const wanted = chooseLayers(layers, source.extract !== undefined);
  const { fitted, calibrated } = divide(source);
  const toFeatures = async (input: Rows): Promise<Rows> =>
    firstColumns(await layerOutputs(layers, wanted, input), MAX_FEATURES);

  const familiar = await toFeatures(familiarRows(source, fitted));
  const outliers = await outlierRows(source, fitted);
  const rows = async (family: Family): Promise<Rows> => await toFeatures(outliers.get(family)!.choosing);
  const directions = await fitDirections(
    familiar,
    await Array.fromAsync(CHOOSING_FAMILIES, rows),
    directionsFor(familiar.size),
    seed,
  );
  const distancesOf = async (input: Rows): Promise<Float64Array> =>
    distances(directions, await toFeatures(input));
  const validation = await distancesOf(inputRows(train, calibrated));
  const table = quantileTable(validation, source.kept);
  return {
    score: {
      layers: wanted,
      directions: widen(
        directions.directions,
        familiar.size,
        wanted.reduce(
          (sum, layer) => sum + widthOf(layers, layer),
          0,
        ),
      ),
      offset: directions.offset,
      ...table,
    },
    kept: source.kept,
    validation: familiarities(table, validation),
    outliers: await Array.fromAsync(outliers, async ([family, { measuring }]) => ({
      family,
      chosenBy: CHOOSING_FAMILIES.includes(family),
      values: familiarities(table, await distancesOf(measuring)),
    })),
    of: async (split) => familiarities(table, await distancesOf(inputRows(split))),
    seconds: (performance.now() - started) / 1000,
  };
}

/** The last hidden layers with at most 2,048 outputs together, at least one; without any, the network's input. */
function chooseLayers(layers: readonly LinearWeights[], onFeatures: boolean): number[] {
  const chosen: number[] = [];
  let size = 0;
  for (let layer = layers.length - 1; layer > 0 && !onFeatures; layer--) {
    size += widthOf(layers, layer);
    if (chosen.length > 0 && size > MAX_FEATURES) break;
    chosen.unshift(layer);
  }
  return chosen.length > 0 ? chosen : [0];
}

/** Divides the images into those that the directions are fitted on and those for the calibration. */
function divide(
  { trainIndices, validationIndices }: FamiliaritySource,
): { fitted: Uint32Array; calibrated: Uint32Array } {
  if (validationIndices.length > 0) {
    return { fitted: evenly(trainIndices, MAX_IMAGES), calibrated: validationIndices };
  }
  const every = 1 / CALIBRATION_SHARE;
  // With fewer images, they are used for both.
  if (trainIndices.length < every) return { fitted: trainIndices, calibrated: trainIndices };
  return {
    fitted: evenly(trainIndices.filter((_, i) => i % every !== 0), MAX_IMAGES),
    calibrated: evenly(trainIndices.filter((_, i) => i % every === 0), MAX_IMAGES / 2),
  };
}

/** At most `count` of the indices, evenly spaced, so that each class keeps its share. */
function evenly(indices: Uint32Array, count: number): Uint32Array {
  if (indices.length <= count) return indices;
  return Uint32Array.from({ length: count }, (_, i) => indices[Math.floor(i * indices.length / count)]!);
}

/** The training images as input of the network, with their mirror images or views if there are any. */
function familiarRows({ train, shape, mirror }: FamiliaritySource, indices: Uint32Array): Rows {
  if (train.features) {
    const { values, size, views } = train.features;
    return { values: select(values, views * size, indices), size };
  }
  const rows = inputRows(train, indices);
  if (!mirror) return rows;
  const { size } = rows;
  const mirrored = pixelRows(select(train.images, size, indices), size, shape.width);
  return { values: concatenate(rows.values, mirrored.values), size };
}

/** Images of a split as input of the network. */
function inputRows({ images, count, features }: Split, indices?: Uint32Array): Rows {
  if (!features) {
    const size = images.length / count;
    return pixelRows(indices ? select(images, size, indices) : images, size);
  }
  const { values, size, views } = features;
  const chosen = indices ?? Uint32Array.from({ length: count }, (_, i) => i);
  return { values: select(values, size, chosen.map((index) => index * views)), size };
}

/** Images of every family as input of the network. */
async function outlierRows(
  { train, shape, seed, extract }: FamiliaritySource,
  fitted: Uint32Array,
): Promise<Map<Family, { choosing: Rows; measuring: Rows }>> {
  const counts = OUTLIERS[extract ? "backbone" : "pixels"];
  const imageSize = shape.channels * shape.height * shape.width;
  const pictures = select(train.images, imageSize, evenly(fitted, counts.choosing));
  const families = [...CHOOSING_FAMILIES, ...UNSEEN_FAMILIES];
  const drawn = families.flatMap((family, i) =>
    [counts.choosing, counts.measuring].map((count, use) => {
      const isUnused = use === 0 && !CHOOSING_FAMILIES.includes(family);
      const random = new Random(seed, 100 + 2 * i + use);
      return drawOutliers(family, { count: isUnused ? 0 : count, shape, pictures, random });
    })
  );
  const rows = extract
    ? await extractAll(drawn, imageSize, extract)
    : drawn.map((images) => pixelRows(images, imageSize));
  return new Map(families.map((family, i) => [family, {
    choosing: rows[2 * i]!,
    measuring: rows[2 * i + 1]!,
  }]));
}

/** The features of several sets of images, computed together. */
async function extractAll(
  sets: readonly Uint8Array[],
  imageSize: number,
  extract: NonNullable<FamiliaritySource["extract"]>,
): Promise<Rows[]> {
  const counts = sets.map(({ length }) => length / imageSize);
  const total = counts.reduce((sum, count) => sum + count, 0);
  const images = new Uint8Array(total * imageSize);
  let at = 0;
  for (const set of sets) {
    images.set(set, at);
    at += set.length;
  }
  const values = await extract(images);
  const size = values.length / total;
  let row = 0;
  return counts.map((count) => ({ values: values.subarray(row * size, (row += count) * size), size }));
}

/** Some rows of an array. */
function select<T extends Uint8Array | Float32Array>(from: T, size: number, indices: Uint32Array): T {
  const to = new (from.constructor as new (length: number) => T)(indices.length * size);
  for (const [i, index] of indices.entries()) {
    to.set(from.subarray(index * size, (index + 1) * size), i * size);
  }
  return to;
}

function concatenate(a: Float32Array, b: Float32Array): Float32Array {
  const joined = new Float32Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}

/** The first columns of rows. */
function firstColumns({ values, size }: Rows, columns: number): Rows {
  if (size <= columns) return { values, size };
  const count = values.length / size;
  const kept = new Float32Array(count * columns);
  for (let i = 0; i < count; i++) kept.set(values.subarray(i * size, i * size + columns), i * columns);
  return { values: kept, size: columns };
}

/** Appends columns of zeros to rows. */
function widen(rows: Float32Array<ArrayBuffer>, from: number, to: number): Float32Array<ArrayBuffer> {
  if (from === to) return rows;
  const wide = new Float32Array(rows.length / from * to);
  for (let i = 0; i * from < rows.length; i++) wide.set(rows.subarray(i * from, (i + 1) * from), i * to);
  return wide;
}
