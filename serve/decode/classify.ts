/**
 * The bodies of `POST /v1/classify`.
 *
 * @module
 */
import { PICTURE_TYPES } from "../../shared/decode/picture.ts";
import { InputError } from "../../shared/errors.ts";
import { scale } from "../../shared/inference/base_classifier.ts";
import { type Batch, limitImages, rejectBlank } from "./batch.ts";
import { decodeJson } from "./json.ts";
import { decodeMultipart } from "./multipart.ts";
import { requestPictures } from "./picture.ts";
import type { Task, Turn } from "./task.ts";

const FORMATS = new Map<string, (task: Task, turn: Turn) => Batch | Promise<Batch>>([
  ["application/octet-stream", readBytes],
  ["application/json", readJson],
  ...PICTURE_TYPES.map((type) => [type, readPicture] as const),
  ["multipart/form-data", readForm],
]);

/** The supported media types. */
export const MEDIA_TYPES: readonly string[] = [...FORMATS.keys()];

/** A media type without its parameters. */
export function mediaTypeOf(contentType: string): string {
  return contentType.split(";", 1)[0]!.trim().toLowerCase();
}

/**
 * Reads the images of a request.
 *
 * @throws {InputError} if the request is wrong, or none of its images can be classified
 */
export async function readClassifyRequest(task: Task, turn: Turn): Promise<Batch> {
  const batch = rejectBlank(await FORMATS.get(mediaTypeOf(task.contentType))!(task, turn), task.model.input);
  const [first] = batch.failures.values();
  if (first && batch.failures.size === batch.count) throw first;
  return batch;
}

const NONE: ReadonlyMap<number, InputError> = new Map();

function readBytes({ body, model: { imageSize }, limits }: Task): Batch {
  if (body.length % imageSize !== 0) {
    throw new InputError(
      "invalid-value",
      `Cannot read the pixels as there must be a multiple of ${imageSize} bytes, one per pixel: ` +
        `current length is ${body.length}`,
    );
  }
  const count = body.length / imageSize;
  limitImages(count, limits.maxBatchSize);
  return { count, pixels: scale(body), failures: NONE };
}

async function readJson(task: Task, turn: Turn): Promise<Batch> {
  const { body, model: { imageSize }, limits: { maxBatchSize } } = task;
  return await decodeJson(body, {
    imageSize,
    maxBatchSize,
    readPicture: requestPictures(task, turn),
    turn,
  });
}

async function readPicture(task: Task, turn: Turn): Promise<Batch> {
  const pixels = new Float32Array(task.model.imageSize);
  await requestPictures(task, turn)(task.body, pixels, mediaTypeOf(task.contentType));
  return { count: 1, pixels, failures: NONE };
}

async function readForm(task: Task, turn: Turn): Promise<Batch> {
  const { body, contentType, model: { imageSize }, limits: { maxBatchSize } } = task;
  const readPicture = requestPictures(task, turn);
  return await decodeMultipart(body, contentType, { imageSize, maxBatchSize, readPicture });
}
