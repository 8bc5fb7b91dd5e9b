/**
 * How every request that classifies images is processed, in any protocol: the body becomes pixels, these become scores,
 * and these a response. Each stage is timed.
 *
 * @module
 */
import type { Context } from "hono";
import { InputError, type InputErrorCode } from "../../shared/errors.ts";
import type { Classifier, Scores } from "../../shared/inference/classifier.ts";
import { type AppEnv, finish } from "../context.ts";
import { keyOf } from "../feedback/recent.ts";
import { type Form, inputOf, type Read } from "../decode/task.ts";
import { mediaTypeOf } from "../decode/classify.ts";
import { isLarge } from "../decode/reader.ts";
import { release } from "../../shared/release.ts";
import { type ExpectedWork, readBody } from "../middleware/body.ts";
import { clientOf } from "../middleware/rate_limit.ts";
import { checkIdentity } from "../models/models.ts";
import { Problem, type ProblemStatus } from "../problem.ts";
import type { Service } from "../protocols/protocol.ts";

/** How a protocol reads requests and writes responses. */
export interface Codec<F extends Form> {
  /** How bodies are read. */
  form: F;
  /** Of the header Inference-Header-Content-Length. */
  jsonLength?: string;
  /** Checks what does not depend on the body. */
  check?(classifier: Classifier): void;
  write(scores: Scores, request: Read<F>, classifier: Classifier): Response;
}

/** Processes a request. */
export async function answer<F extends Form>(
  c: Context<AppEnv>,
  service: Service,
  codec: Codec<F>,
): Promise<Response> {
  return await finish(c, () => answerNow(c, service, codec));
}

async function answerNow<F extends Form>(
  c: Context<AppEnv>,
  { models, admission, reader, config, telemetry, feedback }: Service,
  { form, jsonLength, check, write }: Codec<F>,
): Promise<Response> {
  const client = clientOf(c);
  const contentType = c.req.header("content-type") ?? "";
  const work = expectedWork(client, mediaTypeOf(contentType), { reader, admission });
  using body = await readBody(c.req.raw, config, {
    bodies: admission.bodies,
    client,
    bytesPerByte: bytesPerByte(mediaTypeOf(contentType)),
    work,
  });
  if (body.bytes.length === 0) throw new Problem(400, "Cannot classify as the body is empty");
  return await admission.admit(client, async () => {
    const name = c.req.param("model"), version = c.req.param("version");
    using model = models.lease(name, version);
    const { engine, statistics } = model;
    const classifier = engine.loaded ?? await engine.classifier();
    if (name !== undefined) checkIdentity(classifier, name, version);
    const timing = c.get("timing");
    const isGone = (): boolean => c.req.raw.signal.aborted;
    const start = timing.decodeStart = performance.now();
    check?.(classifier);
    // Its body may be gone after it was read.
    const large = isLarge({ body: body.bytes, contentType });
    const request = await refusing(() =>
      reader.read<F>(
        {
          form,
          body: body.bytes,
          contentType,
          ...(jsonLength !== undefined && { jsonLength }),
          model: inputOf(classifier),
          limits: config,
        },
        client,
        isGone,
      )
    );
    timing.decodeMs = performance.now() - start;
    release(body.bytes);
    const images = request.pixels.length / classifier.imageSize;
    if (large) admission.inferenceAverages.add(mediaTypeOf(contentType), engine.microsOf(images));
    try {
      const { scores, queueMs, inferMs } = await engine.run(request.pixels, client, isGone);
      Object.assign(timing, { images, queueMs, inferMs }, telemetry.countPredictions(classifier, scores));
      if (feedback?.recent) {
        const failures = "failures" in request ? request.failures.keys() : [];
        feedback.recent.add(keyOf(classifier, c.get("requestId")), request.pixels, failures);
      }
      release(request.pixels as Float32Array<ArrayBuffer>);
      const encoding = performance.now();
      const response = write(scores, request, classifier);
      statistics.countSuccess(images, { ...timing, encodeMs: performance.now() - encoding });
      return response;
    } catch (error) {
      statistics.countFailure(performance.now() - start);
      throw error;
    }
  });
}

/** Bytes in 0..255 become numbers of 4 bytes. Those of JSON have at least 2 characters each, with what separates them. */
function bytesPerByte(mediaType: string): number {
  if (mediaType === "application/octet-stream") return 1 + 4;
  return mediaType === "application/json" ? 2 : 1;
}

/** The work that a body which arrives will make: what cannot be answered is refused before it is read. */
function expectedWork(
  client: string,
  mediaType: string,
  { reader, admission: { inference, inferenceAverages } }: Pick<Service, "reader" | "admission">,
): ExpectedWork {
  const inferenceMicros = Math.ceil(inferenceAverages.of(mediaType));
  return {
    hasRoom: () => reader.hasRoom(client, mediaType) && inference.hasRoom(client, inferenceMicros),
    expect: () => {
      const reading = reader.expect(client, mediaType);
      const running = reading && inference.reserve(client, inferenceMicros);
      const end = (): void => {
        reading?.[Symbol.dispose]();
        running?.[Symbol.dispose]();
      };
      if (running) return { [Symbol.dispose]: end };
      end();
      return undefined;
    },
  };
}

/** Answers wrong input with a 4xx; any other error is a bug and stays as it is. */
export async function refusing<T>(read: () => Promise<T>): Promise<T> {
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
