/**
 * `examples.json`: a few small pictures that the page of the server offers to try. They are not selected, and the
 * score over all pictures of their kind is written with them.
 *
 * A model with Fashion-MNIST's labels gets drawings, as the images of the data set may not be distributed. Pictures
 * of one's own data set are written only on request (`train --examples`), since the page shows them to everybody.
 *
 * @module
 */
import { encode as encodePng } from "fast-png";
import { type Example, type Examples, MAX_EXAMPLES_BYTES } from "../../shared/examples.ts";
import { percent } from "../../shared/format.ts";
import { Classifier } from "../../shared/inference/classifier.ts";
import { toSnakeCase } from "../../shared/naming.ts";
import { resizePlane } from "../../shared/resample.ts";
import { drawSilhouettes, SILHOUETTE_SIZE } from "../../shared/silhouettes/silhouettes.ts";
import { argMax } from "../../shared/softmax.ts";
import type { RunMetrics } from "../artifact/metrics.ts";
import { FASHION_MNIST_LABELS } from "../dataset/fashion_mnist.ts";
import type { Split } from "../dataset/mod.ts";
import type { GalleryImages } from "./gallery.ts";
import { encodeJpeg } from "./jpeg_encoder.js";

/** The drawings that the score is measured on; their seed differs from those of the data set of silhouettes. */
const DRAWINGS = 1000, DRAWINGS_SEED = 3;
/** Drawings of each class that are shown. */
const SHOWN_PER_CLASS = 2;

/** Larger pictures are JPEG files. */
const MAX_PNG_SIDE = 64;
/** Sides of the pictures in pixels, the first at which all fit into the file. */
const SIDES = [192, 160, 128, 96, 64, 48, 32, 16];

/** Whether a model gets drawings. */
export function isForDrawings({ input, classes }: Pick<RunMetrics, "input" | "classes">): boolean {
  return input.channels === 1 && input.width === SILHOUETTE_SIZE && input.height === SILHOUETTE_SIZE &&
    classes.length === FASHION_MNIST_LABELS.length &&
    FASHION_MNIST_LABELS.every((label, i) => classes[i]!.label === label);
}

/** Drawings, the first of each class, and how many of {@linkcode DRAWINGS} the model classifies correctly. */
export async function drawnExamples(
  { version, provenance }: Pick<RunMetrics, "version" | "provenance">,
  model: Uint8Array<ArrayBuffer>,
): Promise<Examples> {
  const { images, labels } = drawSilhouettes(DRAWINGS, DRAWINGS_SEED);
  const classifier = await Classifier.load(model);
  const { threshold } = classifier.description.familiarity ?? {};
  let correct = 0, unfamiliar: number | undefined;
  try {
    const { logits, familiarity } = await classifier.run(images);
    unfamiliar = threshold !== undefined
      ? familiarity?.filter((value) => value < threshold).length
      : undefined;
    const classes = FASHION_MNIST_LABELS.length;
    for (const [i, label] of labels.entries()) {
      if (argMax(logits.subarray(i * classes, (i + 1) * classes)) === label) correct++;
    }
  } finally {
    await classifier.close();
  }
  const side = SILHOUETTE_SIZE;
  const size = { channels: 1, width: side, height: side };
  const count = SHOWN_PER_CLASS * FASHION_MNIST_LABELS.length;
  return {
    version,
    note: "Garments drawn by a program, not selected" +
      (provenance.dataset.name === "fashion-mnist" ? "; the model was trained on photos." : ".") +
      (unfamiliar === undefined
        ? ""
        : ` It finds ${percent(unfamiliar / DRAWINGS, 0)} of such pictures unfamiliar.`),
    score: { images: DRAWINGS, correct },
    images: firstOfEachClass(labels, FASHION_MNIST_LABELS.length, count).map((index) =>
      encode(
        FASHION_MNIST_LABELS[labels[index]!]!,
        images.subarray(index * side ** 2, (index + 1) * side ** 2),
        size,
      )
    ),
  };
}

/** The pictures of a test split. */
export interface TestPictures extends GalleryImages {
  test: Pick<Split, "images" | "labels">;
}

/**
 * The first test pictures of each class, in turn.
 *
 * @param count how many; fewer if there are not as many
 */
export function testExamples(
  { version, classes, test: { images, accuracy } }: Pick<RunMetrics, "version" | "classes" | "test">,
  pictures: TestPictures,
  count: number,
): Examples {
  const { test, channels, height, width } = pictures;
  const size = { channels, height, width };
  const pixels = channels * height * width;
  const indices = firstOfEachClass(test.labels, classes.length, count);
  const make = (side: number): Examples => ({
    version,
    note: "Pictures of the test set, not selected; the model was not trained on them.",
    score: { images, correct: Math.round(accuracy * images) },
    images: indices.map((index) => {
      const image = test.images.subarray(index * pixels, (index + 1) * pixels);
      const small = shrink(image, size, side);
      return encode(classes[test.labels[index]!]!.label, small.pixels, small.size);
    }),
  });
  for (const side of SIDES) {
    const examples = make(side);
    if (formatExamples(examples).length <= MAX_EXAMPLES_BYTES) return examples;
  }
  throw new RangeError(`Cannot write ${count} examples within ${MAX_EXAMPLES_BYTES} bytes`);
}

/** The text of the file. */
export function formatExamples(examples: Examples): string {
  return JSON.stringify(toSnakeCase(examples)) + "\n";
}

/** Indices of the first images of each class, class by class. */
function firstOfEachClass(labels: ArrayLike<number>, classes: number, count: number): number[] {
  const byClass = Array.from({ length: classes }, (): number[] => []);
  for (let i = 0; i < labels.length; i++) byClass[labels[i]!]!.push(i);
  const chosen: [classIndex: number, index: number][] = [];
  for (let round = 0; chosen.length < count && byClass.some((indices) => round < indices.length); round++) {
    for (const [classIndex, indices] of byClass.entries()) {
      if (round < indices.length && chosen.length < count) chosen.push([classIndex, indices[round]!]);
    }
  }
  return chosen.sort(([a, i], [b, j]) => a - b || i - j).map(([, index]) => index);
}

interface Size {
  channels: number;
  height: number;
  width: number;
}

function shrink(pixels: Uint8Array, size: Size, side: number): { pixels: Uint8Array; size: Size } {
  const { channels, height, width } = size;
  const scale = Math.min(1, side / Math.max(height, width));
  if (scale === 1) return { pixels, size };
  const small = {
    height: Math.max(1, Math.round(height * scale)),
    width: Math.max(1, Math.round(width * scale)),
  };
  const area = small.height * small.width;
  const result = new Uint8Array(channels * area);
  for (let c = 0; c < channels; c++) {
    const plane = pixels.subarray(c * height * width, (c + 1) * height * width);
    result.set(resizePlane(plane, width, { left: 0, top: 0, width, height }, small), c * area);
  }
  return { pixels: result, size: { channels, ...small } };
}

/** @param pixels `[C, H, W]`, 0..255 */
function encode(label: string, pixels: Uint8Array, { channels, height, width }: Size): Example {
  const area = height * width;
  const isPng = Math.max(height, width) <= MAX_PNG_SIDE;
  // JPEG's encoder takes red, green, blue and alpha.
  const depth = isPng ? channels : 4;
  const data = new Uint8Array(area * depth).fill(255);
  for (let i = 0; i < area; i++) {
    for (let c = 0; c < Math.min(3, depth); c++) {
      data[i * depth + c] = pixels[(channels === 1 ? 0 : c) * area + i]!;
    }
  }
  const bytes = isPng
    ? encodePng({ width, height, data, depth: 8, channels: depth as 1 | 3 })
    : encodeJpeg({ width, height, data });
  return { label, type: isPng ? "image/png" : "image/jpeg", data: new Uint8Array(bytes).toBase64() };
}
