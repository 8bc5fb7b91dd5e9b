/**
 * `POST /v1/classify?top_k=3&function_to_apply=softmax`: images in, labels out.
 *
 * | `content-type`                          | body                                                       |
 * | --------------------------------------- | ---------------------------------------------------------- |
 * | `application/octet-stream`              | N images of channels × height × width bytes, 0..255          |
 * | `application/json`                      | `{"pixels": […]}`, `{"image": …}` or `{"images": […, …]}`     |
 * | `image/png`, `image/jpeg`, `image/webp` | one image of any size, fitted into the model's input         |
 * | `multipart/form-data`                   | one or more such images                                    |
 *
 * In a batch, an image that cannot be read or is blank gets its own error; the request fails only if all images fail.
 *
 * @module
 */
import { InputError } from "../../shared/errors.ts";
import type { Handler } from "hono";
import { PICTURE_TYPES } from "../../shared/decode/picture.ts";
import { type Classifier, scale, type ScoredLabel } from "../../shared/inference/classifier.ts";
import type { Config } from "../config.ts";
import type { AppEnv } from "../context.ts";
import { type Batch, limitImages, rejectBlank } from "../decode/batch.ts";
import { decodeJson } from "../decode/json.ts";
import { decodeMultipart } from "../decode/multipart.ts";
import { Problem } from "../problem.ts";
import type { Service } from "../protocols/protocol.ts";
import { answer, refusal, requestPictures } from "./answer.ts";
import { type Options, rank, readOptions } from "./options.ts";

type Read = (
  body: Uint8Array<ArrayBuffer>,
  classifier: Classifier,
  config: Config,
  contentType: string,
) => Batch | Promise<Batch>;

const FORMATS = new Map<string, Read>([
  ["application/octet-stream", readBytes],
  ["application/json", readJson],
  ...PICTURE_TYPES.map((type) => [type, readPicture] as const),
  ["multipart/form-data", readMultipart],
]);

/** The supported media types. */
export const MEDIA_TYPES: readonly string[] = [...FORMATS.keys()];

interface Request extends Batch {
  options: Options;
}

export function classify(service: Service): Handler<AppEnv> {
  const { config } = service;
  return async (c): Promise<Response> => {
    const contentType = c.req.header("content-type") ?? "";
    const read = formatOf(contentType);
    return await answer<Request>(c, service, {
      async read(body, classifier): Promise<Request> {
        const options = readOptions((name) => c.req.query(name), classifier, config);
        const { input } = classifier.description;
        const batch = rejectBlank(await read(body, classifier, config, contentType), input);
        const [first] = batch.failures.values();
        if (first && batch.failures.size === batch.count) throw first;
        return { ...batch, options };
      },
      write(scores, { count, failures, options }, classifier): Response {
        const { name, version } = classifier.description;
        const tops = rank(scores, options, classifier).values();
        const predictions = Array.from({ length: count }, (_, i) => {
          const failure = failures.get(i);
          return failure ? describeFailure(failure) : describeTop(tops.next().value!);
        });
        return c.json({ model: { name, version }, predictions });
      },
    });
  };
}

/** As it is sent; written out, as `toSnakeCase()` takes 5 % of the time of a request. */
interface WireLabel {
  label: string;
  class_index: number;
  score: number;
}

function describeTop(labels: ScoredLabel[]): WireLabel & { top: WireLabel[] } {
  const top = labels.map(({ label, classIndex, score }) => ({ label, class_index: classIndex, score }));
  return { ...top[0]!, top };
}

function describeFailure(error: InputError): { error: { status: number; title: string; detail: string } } {
  const { status, title, detail } = refusal(error);
  return { error: { status, title, detail } };
}

/** A media type without its parameters. */
export function mediaTypeOf(contentType: string): string {
  return contentType.split(";", 1)[0]!.trim().toLowerCase();
}

function formatOf(contentType: string): Read {
  const format = FORMATS.get(mediaTypeOf(contentType));
  if (format) return format;
  const accepted = MEDIA_TYPES.join(", ");
  throw new Problem(415, `Cannot classify as the content-type must be one of ${accepted}`, {
    // https://www.w3.org/TR/ldp/#header-accept-post
    "accept-post": accepted,
  });
}

const NONE: ReadonlyMap<number, InputError> = new Map();

function readBytes(body: Uint8Array, { imageSize }: Classifier, { maxBatchSize }: Config): Batch {
  if (body.length % imageSize !== 0) {
    throw new InputError(
      "invalid-value",
      `Cannot read the pixels as there must be a multiple of ${imageSize} bytes, one per pixel: ` +
        `current length is ${body.length}`,
    );
  }
  const count = body.length / imageSize;
  limitImages(count, maxBatchSize);
  return { count, pixels: scale(body), failures: NONE };
}

async function readJson(body: Uint8Array, classifier: Classifier, config: Config): Promise<Batch> {
  const { imageSize } = classifier;
  const readPicture = requestPictures(classifier, config);
  return await decodeJson(body, { imageSize, maxBatchSize: config.maxBatchSize, readPicture });
}

async function readPicture(
  body: Uint8Array<ArrayBuffer>,
  classifier: Classifier,
  config: Config,
  contentType: string,
): Promise<Batch> {
  const pixels = new Float32Array(classifier.imageSize);
  await requestPictures(classifier, config)(body, pixels, mediaTypeOf(contentType));
  return { count: 1, pixels, failures: NONE };
}

async function readMultipart(
  body: Uint8Array<ArrayBuffer>,
  classifier: Classifier,
  config: Config,
  contentType: string,
): Promise<Batch> {
  const { imageSize } = classifier;
  const readPicture = requestPictures(classifier, config);
  return await decodeMultipart(body, contentType, {
    imageSize,
    maxBatchSize: config.maxBatchSize,
    readPicture,
  });
}
