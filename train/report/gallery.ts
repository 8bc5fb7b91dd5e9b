/** A gallery of the mistakes that the model is most sure of. */
import type { Split } from "../dataset/mod.ts";
import type { RunMetrics } from "./metrics.ts";
import { INK, ORANGE, type Picture } from "./picture.ts";
import { dataUri } from "./pixels.ts";

const COLUMNS = 6;
/** Sizes on the picture, in pixels. */
const SIDE = 96, TILE = { width: 128, height: 150 };

/** The images behind the indices in `metrics.json`. */
export interface GalleryImages {
  test: Pick<Split, "images">;
  channels: number;
  height: number;
  width: number;
}

/** Draws each image with what it was called and how surely, above what it is; nothing if there is no mistake. */
export function gallery(
  { name, mistakes = [], test }: RunMetrics,
  images: GalleryImages,
): Picture | undefined {
  if (mistakes.length === 0) return undefined;
  const { width, height } = images;
  const zoom = SIDE / Math.max(width, height);
  const tiles = mistakes.map(({ index, actual, predicted, score }, i) => ({
    x: (i % COLUMNS) * TILE.width,
    y: Math.floor(i / COLUMNS) * TILE.height,
    url: pixelsOf(images, index),
    called: `${shorten(predicted)} ${score >= 0.9995 ? ">99.9" : (score * 100).toFixed(1)} %`,
    is: `is ${shorten(actual)} (${index})`,
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
    title: `${name}: mistakes it is most sure of`,
    subtitle: `Above, what it was called and how surely; below, what it is, with the index among the ${
      test.images.toLocaleString("en")
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
        words("called", SIDE + 5, ORANGE, "600"),
        words("is", SIDE + 20, INK, "normal"),
      ],
    },
  };
}

/** One image, from `[C, H, W]` to what a PNG holds. */
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
