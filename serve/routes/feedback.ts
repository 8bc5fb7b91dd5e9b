/**
 * `POST /v1/feedback`: the right label of a picture, to train the next model on.
 *
 * | `content-type`                          | body                                                                |
 * | --------------------------------------- | ------------------------------------------------------------------- |
 * | `image/png`, `image/jpeg`, `image/webp` | the picture, with `?label=`                                         |
 * | `application/json`                      | `{"request_id": …, "label": …, "index"?: 0}`, for a recent request  |
 *
 * @module
 */
import type { Context, Handler } from "hono";
import { PICTURE_TYPES } from "../../shared/decode/picture.ts";
import { encodePng } from "../../shared/encode/png.ts";
import type { Classifier } from "../../shared/inference/classifier.ts";
import { type AppEnv, finish } from "../context.ts";
import { mediaTypeOf } from "../decode/classify.ts";
import { parseJson } from "../decode/json.ts";
import { inputOf } from "../decode/task.ts";
import { folderOf } from "../feedback/feedback.ts";
import { keyOf } from "../feedback/recent.ts";
import { readBody } from "../middleware/body.ts";
import { clientOf } from "../middleware/rate_limit.ts";
import { FeedbackRequest } from "../openapi/schemas.ts";
import { validate } from "../openapi/validate.ts";
import { Problem } from "../problem.ts";
import { modelOf, type Service } from "../protocols/protocol.ts";
import { refusing } from "./answer.ts";

const TYPES = [...PICTURE_TYPES, "application/json"];

/** A picture, and what it shows. */
interface Labelled {
  picture: Uint8Array<ArrayBuffer>;
  label: string;
}

export function feedback(service: Service): Handler<AppEnv> {
  return (c) => finish(c, () => store(c, service));
}

async function store(c: Context<AppEnv>, service: Service): Promise<Response> {
  const { feedback, admission, config } = service;
  if (!feedback) throw new Problem(404, "This server does not take feedback: it has no FEEDBACK_STORE");
  const contentType = c.req.header("content-type") ?? "";
  const mediaType = mediaTypeOf(contentType);
  if (!TYPES.includes(mediaType)) {
    throw new Problem(
      415,
      `Cannot read the feedback as the content-type must be one of ${TYPES.join(", ")}`,
      {
        "accept-post": TYPES.join(", "),
      },
    );
  }
  const client = clientOf(c);
  using body = await readBody(c.req.raw, config, { bodies: admission.bodies, client, bytesPerByte: 2 });
  return await admission.admit(client, async () => {
    const classifier = await modelOf(c, service);
    const { picture, label } = mediaType === "application/json"
      ? await recentPicture(body.bytes, classifier, service)
      : await sentPicture(c, body.bytes, classifier, service);
    const { name, labels } = classifier.description;
    if (!labels.includes(label)) {
      throw new Problem(
        400,
        `Cannot store the picture as label must be a label of the model: ` +
          `current value is ${JSON.stringify(label.slice(0, 80))}`,
      );
    }
    const file = await feedback.store.add(picture, folderOf(name, label, labels));
    return c.json({ label, file }, 201);
  });
}

/** A picture in the body. It is read as one to classify is, so that only readable ones are stored. */
async function sentPicture(
  c: Context<AppEnv>,
  body: Uint8Array<ArrayBuffer>,
  classifier: Classifier,
  { reader, config }: Service,
): Promise<Labelled> {
  const label = c.req.query("label");
  if (label === undefined) {
    throw new Problem(400, "Cannot store the picture as the parameter label is missing");
  }
  // Reading may transfer the body to another thread.
  const picture = body.slice();
  const contentType = c.req.header("content-type")!;
  await refusing(() =>
    reader.read(
      { form: "classify", body, contentType, model: inputOf(classifier), limits: config },
      clientOf(c),
    )
  );
  return { picture, label };
}

/** An image of a recent request, as the model got it. */
async function recentPicture(
  body: Uint8Array<ArrayBuffer>,
  classifier: Classifier,
  { feedback }: Service,
): Promise<Labelled> {
  const { request_id, label, index = 0 } = await refusing(() =>
    Promise.resolve().then(() => validate(FeedbackRequest, parseJson(body), "the feedback"))
  );
  const { description: { input }, imageSize } = classifier;
  const data = feedback!.recent?.get(keyOf(classifier, request_id), index, imageSize);
  if (!data) {
    throw new Problem(
      404,
      "Unknown request or image: those of the last ten minutes are kept, by the thread that answered, and none " +
        "on Cloudflare; send the picture instead",
    );
  }
  return { picture: await refusing(() => encodePng({ ...input, data })), label };
}
