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
import type { Classifier, Scores } from "../../shared/inference/classifier.ts";
import { decodeJson } from "../decode/json.ts";
import { DEFAULT_TOP_K, MAX_BODY_BYTES, MAX_IMAGES, MAX_PIXELS } from "../limits.ts";
import { readBody } from "../middleware/body.ts";
import { Problem } from "../middleware/problem.ts";

type Format = (body: Uint8Array<ArrayBuffer>, classifier: Classifier) => Promise<Scores>;

const FORMATS = new Map<string, Format>([
  ["application/octet-stream", classifyBytes],
  ["application/json", classifyJson],
  ["image/png", classifyPng],
]);

/** The media types that are read. */
export const MEDIA_TYPES: readonly string[] = [...FORMATS.keys()];

export function classify(classifier: () => Promise<Classifier>): Handler {
  return async (c): Promise<Response> => {
    const format = formatOf(c.req.header("content-type"));
    const body = await readBody(c.req.raw, MAX_BODY_BYTES);
    if (body.length === 0) throw new Problem(400, "Cannot classify as the body is empty");
    const model = await classifier();
    const { name, version, labels } = model.description;
    const k = topK(c.req.query("top_k"), labels.length);
    const { probabilities } = await format(body, model);
    const predictions = model.top(probabilities, k).map((top) => ({ ...top[0]!, top }));
    return c.json({ model: { name, version }, predictions });
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

async function classifyBytes(body: Uint8Array, classifier: Classifier): Promise<Scores> {
  const { imageSize } = classifier;
  if (body.length % imageSize !== 0) {
    throw new Problem(
      400,
      `Cannot read the pixels as there must be a multiple of ${imageSize} bytes, one a pixel: ` +
        `current length is ${body.length}`,
    );
  }
  limitImages(body.length / imageSize);
  return await classifier.run(body);
}

async function classifyJson(body: Uint8Array, classifier: Classifier): Promise<Scores> {
  const { imageSize } = classifier;
  let pixels: Float32Array;
  try {
    pixels = decodeJson(body, imageSize);
  } catch (error) {
    throw refusal(error, 400);
  }
  limitImages(pixels.length / imageSize);
  return await classifier.runScaled(pixels);
}

function limitImages(count: number): void {
  if (count <= MAX_IMAGES) return;
  throw new Problem(
    413,
    `Cannot classify as there must be at most ${MAX_IMAGES} images: current number is ${count}`,
  );
}

async function classifyPng(body: Uint8Array<ArrayBuffer>, classifier: Classifier): Promise<Scores> {
  const { input, preprocessing } = classifier.description;
  if (!preprocessing) {
    throw new Problem(415, "Cannot read PNG as the model takes neither grey nor RGB images");
  }
  const image = await decodePng(body, { maxPixels: MAX_PIXELS }).catch((error) => {
    throw refusal(error, 413);
  });
  return await classifier.run(fitImage(image, input));
}

/** The decoders' errors say what is wrong with the body; all others are bugs and pass through. */
function refusal(error: unknown, range: 400 | 413): unknown {
  if (error instanceof RangeError) return new Problem(range, error.message);
  if (error instanceof SyntaxError || error instanceof TypeError) return new Problem(400, error.message);
  return error;
}
