/**
 * Reading a request: from a body to the model's input. It is described by plain data, so that it can be done in another
 * thread.
 *
 * @module
 */
import type { ImageShape } from "../../shared/contract.ts";
import type { Preprocessing } from "../../shared/image.ts";
import type { Classifier } from "../../shared/inference/classifier.ts";
import type { Config } from "../config.ts";
import { readClassifyRequest } from "./classify.ts";
import { readTaskRequest } from "./hugging_face.ts";
import { type OutputName, outputsOf, readInferRequest } from "./infer.ts";

/** What reading depends on, of the model. */
export interface ModelInput {
  input: ImageShape;
  preprocessing?: Preprocessing;
  /** Numbers per image. */
  imageSize: number;
  /** Number of labels. */
  classes: number;
  /** The outputs that can be requested. */
  outputs: readonly OutputName[];
}

/** The form of a request, for each route that classifies. */
const READERS = {
  classify: readClassifyRequest,
  infer: readInferRequest,
  huggingFace: readTaskRequest,
} as const;

export type Form = keyof typeof READERS;

/** What a reader of a form returns. */
export type Read<F extends Form> = Awaited<ReturnType<typeof READERS[F]>>;

/** A request to read. */
export interface Task<F extends Form = Form> {
  form: F;
  body: Uint8Array<ArrayBuffer>;
  /** The media type with its parameters. */
  contentType: string;
  /** Of the header Inference-Header-Content-Length. */
  jsonLength?: string;
  model: ModelInput;
  limits: Pick<Config, "maxBatchSize" | "maxPixels" | "maxTopK">;
}

/** Lets other events in, where they share the thread. */
export type Turn = () => Promise<void>;

/** @throws {InputError} if the request is wrong */
export async function readTask<F extends Form>(task: Task<F>, turn: Turn): Promise<Read<F>> {
  return await READERS[task.form](task, turn) as Read<F>;
}

/** What a model takes. */
export function inputOf(
  { description, imageSize }: Pick<Classifier, "description" | "imageSize">,
): ModelInput {
  const { input, preprocessing, labels } = description;
  const outputs = outputsOf(description).map(({ name }) => name);
  return { input, ...(preprocessing && { preprocessing }), imageSize, classes: labels.length, outputs };
}
