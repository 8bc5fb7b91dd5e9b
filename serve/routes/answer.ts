/**
 * How every request that classifies images is processed, in any protocol: the body becomes pixels, these become scores,
 * and these a response. Each stage is timed.
 *
 * @module
 */
import type { Context } from "hono";
import { InputError, type InputErrorCode } from "../../shared/errors.ts";
import type { Classifier, Scores } from "../../shared/inference/classifier.ts";
import type { Config } from "../config.ts";
import type { AppEnv } from "../context.ts";
import { pictureReader, type ReadPicture } from "../decode/picture.ts";
import { readBody } from "../middleware/body.ts";
import { Problem, type ProblemStatus } from "../problem.ts";
import type { Service } from "../protocols/protocol.ts";

/** How a protocol reads requests and writes responses. */
export interface Codec<T extends { pixels: Float32Array }> {
  /** Reads the request: `pixels` is `[N, imageSize]` in 0..1; the rest is passed to `write`. */
  read(body: Uint8Array<ArrayBuffer>, classifier: Classifier): T | Promise<T>;
  write(scores: Scores, request: T, classifier: Classifier): Response;
}

/** Processes a request. */
export async function answer<T extends { pixels: Float32Array }>(
  c: Context<AppEnv>,
  { engine, config, statistics, telemetry }: Service,
  codec: Codec<T>,
): Promise<Response> {
  const body = await readBody(c.req.raw, config);
  if (body.length === 0) throw new Problem(400, "Cannot classify as the body is empty");
  return await engine.admit(async () => {
    const classifier = engine.loaded ?? await engine.classifier();
    const timing = c.get("timing");
    const start = timing.decodeStart = performance.now();
    const request = await refusing(() => codec.read(body, classifier));
    timing.decodeMs = performance.now() - start;
    const images = request.pixels.length / classifier.imageSize;
    try {
      const { scores, queueMs, inferMs } = await engine.run(request.pixels);
      Object.assign(timing, { images, queueMs, inferMs });
      telemetry.countPredictions(classifier, scores);
      const encoding = performance.now();
      const response = codec.write(scores, request, classifier);
      statistics.countSuccess(images, { ...timing, encodeMs: performance.now() - encoding });
      return response;
    } catch (error) {
      statistics.countFailure(performance.now() - start);
      throw error;
    }
  });
}

/** Answers wrong input with a 4xx; any other error is a bug and stays as it is. */
async function refusing<T>(read: () => T | Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw error instanceof InputError ? refusal(error) : error;
  }
}

const STATUSES: Partial<Record<InputErrorCode, ProblemStatus>> = {
  "too-large": 413,
  "unsupported": 415,
  "no-content": 422,
};

/** Wrong input as a problem of the client. */
export function refusal({ code, message }: InputError): Problem {
  return new Problem(STATUSES[code] ?? 400, message);
}

/** The images of a request may have this many times `maxPixels` together. */
const LARGEST_PICTURES = 4;

/** Makes a reader for the image files of one request. */
export function requestPictures({ description }: Classifier, { maxPixels }: Config): ReadPicture {
  const { input, preprocessing } = description;
  return pictureReader({ ...input, ...(preprocessing && { preprocessing }) }, {
    maxPixels,
    budget: { pixels: LARGEST_PICTURES * maxPixels },
  });
}
