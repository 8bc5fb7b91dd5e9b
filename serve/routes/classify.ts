/**
 * `POST /v1/classify?top_k=3&function_to_apply=softmax&reject=false`: images in, labels out.
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
import type { Handler } from "hono";
import type { InputError } from "../../shared/errors.ts";
import type { ImageFamiliarity, ScoredLabel } from "../../shared/inference/classifier.ts";
import type { AppEnv } from "../context.ts";
import { MEDIA_TYPES, mediaTypeOf } from "../decode/classify.ts";
import { Problem } from "../problem.ts";
import type { Service } from "../protocols/protocol.ts";
import { answer, refusal } from "./answer.ts";
import { type Options, rank, readOptions } from "./options.ts";

export function classify(service: Service): Handler<AppEnv> {
  return async (c): Promise<Response> => {
    checkMediaType(c.req.header("content-type") ?? "");
    let options: Options;
    return await answer(c, service, {
      form: "classify",
      check(classifier): void {
        options = readOptions((name) => c.req.query(name), classifier, service.config);
      },
      write(scores, { count, failures }, classifier): Response {
        const { name, version } = classifier.description;
        const tops = rank(scores, options, classifier).values();
        let answered = 0;
        const predictions = Array.from({ length: count }, (_, i) => {
          const failure = failures.get(i);
          if (failure) return describeFailure(failure);
          return describe(tops.next().value!, classifier.familiarityOf(scores, answered++), options);
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

interface WirePrediction extends Partial<ImageFamiliarity> {
  label: string | null;
  class_index: number;
  score: number;
  top: WireLabel[];
}

function describe(
  labels: ScoredLabel[],
  familiarity: ImageFamiliarity | undefined,
  { reject }: Options,
): WirePrediction {
  const top = labels.map(({ label, classIndex, score }) => ({ label, class_index: classIndex, score }));
  const best = top[0]!;
  if (!familiarity) return { ...best, top };
  return { ...best, ...familiarity, label: reject && familiarity.unfamiliar ? null : best.label, top };
}

function describeFailure(error: InputError): { error: { status: number; title: string; detail: string } } {
  const { status, title, detail } = refusal(error);
  return { error: { status, title, detail } };
}

function checkMediaType(contentType: string): void {
  if (MEDIA_TYPES.includes(mediaTypeOf(contentType))) return;
  const accepted = MEDIA_TYPES.join(", ");
  throw new Problem(415, `Cannot classify as the content-type must be one of ${accepted}`, {
    // https://www.w3.org/TR/ldp/#header-accept-post
    "accept-post": accepted,
  });
}
