/** A gallery of the most confident mistakes. */
import { count, percent } from "../../shared/format.ts";
import type { Split } from "../dataset/mod.ts";
import type { RunMetrics } from "../artifact/metrics.ts";
import { INK, ORANGE, type Picture } from "./picture.ts";
import { dataUri } from "./pixels.ts";

const COLUMNS = 6;
/** Sizes on the picture, in pixels. */
const SIDE = 96, TILE = { width: 128, height: 150 };

/** The images that the indices in `metrics.json` refer to. */
export interface GalleryImages {
  test: Pick<Split, "images">;
  channels: number;
  height: number;
  width: number;
}

/** Draws each image with the predicted class and its probability, and the actual class; undefined without mistakes. */
export function gallery(
  { name, mistakes, test }: RunMetrics,
  images: GalleryImages,
): Picture | undefined {
  if (mistakes.length === 0) return undefined;
  const { width, height } = images;
  const zoom = SIDE / Math.max(width, height);
  const tiles = mistakes.map(({ index, actual, predicted, score }, i) => ({
    x: (i % COLUMNS) * TILE.width,
    y: Math.floor(i / COLUMNS) * TILE.height,
    url: pixelsOf(images, index),
    prediction: `${shorten(predicted)} ${score >= 0.9995 ? ">99.9 %" : percent(score)}`,
    actual: `is ${shorten(actual)} (${index})`,
  }));
  const columns = Math.min(COLUMNS, tiles.length), rows = Math.ceil(tiles.length / COLUMNS);
  const size = { width: columns * TILE.width, height: rows * TILE.height };
  const at = (field: string, extent: number, reverse = false) => ({
    field,
    type: "quantitative",
    axis: null,
    scale: { domain: [0, extent], nice: false, zero: false, reverse },
  });
  const words = (field: string, dy: number, color: string, fontWeight: string) => ({
    mark: {
      type: "text",
      align: "left",
      baseline: "top",
      dy,
      color,
      fontWeight,
      fontSize: 11,
    },
    encoding: { text: { field } },
  });
  return {
    title: `${name}: most confident mistakes`,
    subtitle: `First line: prediction and probability. Second line: actual class, and index among the ${
      count(test.images)
    } test images.`,
    spec: {
      ...size,
      data: { values: tiles },
      encoding: { x: at("x", size.width), y: at("y", size.height, true) },
      layer: [
        {
          mark: {
            type: "image",
            width: Math.round(width * zoom),
            height: Math.round(height * zoom),
            align: "left",
            baseline: "top",
            smooth: false,
            aspect: false,
          },
          encoding: { url: { field: "url" } },
        },
        words("prediction", SIDE + 5, ORANGE, "600"),
        words("actual", SIDE + 20, INK, "normal"),
      ],
    },
  };
}

/** One image, from `[C, H, W]` to a PNG's `[H, W, C]`. */
function pixelsOf({ test, channels, height, width }: GalleryImages, index: number): string {
  const plane = height * width;
  const image = test.images.subarray(index * channels * plane, (index + 1) * channels * plane);
  if (channels === 1) return dataUri(image, width, height, 1);
  const pixels = new Uint8Array(image.length);
  for (let i = 0; i < image.length; i++) pixels[(i % plane) * channels + Math.floor(i / plane)] = image[i]!;
  return dataUri(pixels, width, height, 3);
}

function shorten(label: string): string {
  return label.length > 12 ? `${label.slice(0, 11)}…` : label;
}
