/**
 * `POST /v1/classify?top_k=3`: images in, labels out.
 *
 * | `content-type`             | body                                                                    |
 * | -------------------------- | ----------------------------------------------------------------------- |
 * | `application/octet-stream` | N images of channels × height × width bytes, row-major, 0..255            |
 * | `application/json`         | `{"pixels": […]}` or `{"images": [[…], …]}`, numbers in 0..255             |
 * | `image/png`                | one picture of any size, which is fitted into the model's input            |
 *
 * @module
 */
import type { Handler } from "hono";
import { decodePng } from "../../shared/decode/png.ts";
import { fitImage } from "../../shared/image.ts";
import { type Classifier, scale } from "../../shared/inference/classifier.ts";
import { type Config, DEFAULT_TOP_K } from "../config.ts";
import type { AppEnv } from "../context.ts";
import { decodeJson } from "../decode/json.ts";
import type { Engine } from "../engine.ts";
import { readBody } from "../middleware/body.ts";
import { Problem } from "../middleware/problem.ts";

/** Reads images out of a body: `[N, imageSize]` in 0..1. */
type Format = (
  body: Uint8Array<ArrayBuffer>,
  classifier: Classifier,
  config: Config,
) => Float32Array | Promise<Float32Array>;

const FORMATS = new Map<string, Format>([
  ["application/octet-stream", readBytes],
  ["application/json", readJson],
  ["image/png", readPng],
]);

/** The media types that are read. */
export const MEDIA_TYPES: readonly string[] = [...FORMATS.keys()];

export function classify(engine: Engine, config: Config): Handler<AppEnv> {
  return async (c): Promise<Response> => {
    const format = formatOf(c.req.header("content-type"));
    const body = await readBody(c.req.raw, config.maxBodyBytes);
    if (body.length === 0) throw new Problem(400, "Cannot classify as the body is empty");
    return await engine.admit(async () => {
      const classifier = engine.loaded ?? await engine.classifier();
      const { name, version, labels } = classifier.description;
      const k = topK(c.req.query("top_k"), Math.min(labels.length, config.maxTopK));
      const timing = c.get("timing");
      const start = performance.now();
      const pixels = await format(body, classifier, config);
      timing.decodeMs = performance.now() - start;
      timing.images = pixels.length / classifier.imageSize;
      const { scores, queueMs, inferMs } = await engine.run(pixels);
      timing.queueMs = queueMs;
      timing.inferMs = inferMs;
      const predictions = classifier.top(scores.probabilities, k).map((top) => ({ ...top[0]!, top }));
      return c.json({ model: { name, version }, predictions });
    });
  };
}

function formatOf(contentType: string | undefined): Format {
  const mediaType = (contentType ?? "").split(";", 1)[0]!.trim().toLowerCase();
  const format = FORMATS.get(mediaType);
  if (format) return format;
  const accepted = MEDIA_TYPES.join(", ");
  throw new Problem(415, `Cannot classify as the content-type must be one of ${accepted}`, {
    // https://www.w3.org/TR/ldp/#header-accept-post
    "accept-post": accepted,
  });
}

function topK(value: string | undefined, classes: number): number {
  if (value === undefined) return Math.min(DEFAULT_TOP_K, classes);
  const k = /^[0-9]{1,9}$/.test(value) ? Number(value) : NaN;
  if (k >= 1 && k <= classes) return k;
  throw new Problem(
    400,
    `Cannot classify as top_k must be an integer in 1..${classes}: current value is ${
      JSON.stringify(value.slice(0, 40))
    }`,
  );
}

function readBytes(body: Uint8Array, { imageSize }: Classifier, config: Config): Float32Array {
  if (body.length % imageSize !== 0) {
    throw new Problem(
      400,
      `Cannot read the pixels as there must be a multiple of ${imageSize} bytes, one a pixel: ` +
        `current length is ${body.length}`,
    );
  }
  limitImages(body.length / imageSize, config);
  return scale(body);
}

function readJson(body: Uint8Array, { imageSize }: Classifier, config: Config): Float32Array {
  let pixels: Float32Array;
  try {
    pixels = decodeJson(body, imageSize);
  } catch (error) {
    throw refusal(error, 400);
  }
  limitImages(pixels.length / imageSize, config);
  return pixels;
}

function limitImages(count: number, { maxBatch }: Config): void {
  if (count <= maxBatch) return;
  throw new Problem(
    413,
    `Cannot classify as there must be at most ${maxBatch} images: current number is ${count}`,
  );
}

async function readPng(
  body: Uint8Array<ArrayBuffer>,
  { description }: Classifier,
  { maxPixels }: Config,
): Promise<Float32Array> {
  const { channels, width, height } = description.input;
  if (channels !== 1) throw new Problem(415, "Cannot read PNG as the model does not take grey images");
  const image = await decodePng(body, { maxPixels }).catch((error) => {
    throw refusal(error, 413);
  });
  return scale(fitImage(image, { width, height }));
}

/** The decoders' errors say what is wrong with the body; all others are bugs and pass through. */
function refusal(error: unknown, range: 400 | 413): unknown {
  if (error instanceof RangeError) return new Problem(range, error.message);
  if (error instanceof SyntaxError || error instanceof TypeError) return new Problem(400, error.message);
  return error;
}
