/**
 * The schemas of requests and responses. Requests are validated with them, and the OpenAPI document is generated from
 * them.
 *
 * @module
 */
import * as v from "valibot";
import { DATATYPES } from "../decode/tensor.ts";
import { bulk, dictionary, documented, list, object } from "./bounded.ts";

/** To a schema of this file, from those that are JSON Schema. */
function reference(name: string): { $ref: string } {
  return { $ref: `#/components/schemas/${name}` };
}

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const positive = v.pipe(v.number(), v.integer(), v.minValue(1));
const score = v.pipe(v.number(), v.description("Probability in 0..1; a logit with `function_to_apply=none`"));

// The native protocol.

export const ModelList = v.strictObject({
  models: v.array(v.strictObject({
    name: v.string(),
    version: v.pipe(v.string(), v.description("Empty if the model was never loaded")),
    is_ready: v.pipe(v.boolean(), v.description("Whether requests for it can be answered")),
    is_loaded: v.pipe(
      v.boolean(),
      v.description("Whether it is in memory; otherwise the next request loads it"),
    ),
    is_current: v.pipe(v.boolean(), v.description("Whether requests that name no version get this one")),
    reason: v.pipe(v.string(), v.description("Why the model, or the newest file in its place, is not used")),
  })),
});

export const Pixels = documented(
  bulk({ type: "array", items: { type: "number", minimum: 0, maximum: 255 } }),
  { description: "Channels × height × width numbers in 0..255, row-major; not all the same" },
);

export const Picture = documented(v.string(), {
  contentEncoding: "base64",
  contentMediaType: "image/*",
  minLength: 1,
  description: "A PNG, JPEG or WebP file as base64 or as a data URI",
});

/** Declared here and checked by `decodeJson()`; a test compares the two. */
export const ClassifyRequest = v.union([
  v.strictObject({ pixels: Pixels }),
  v.strictObject({ image: v.union([Picture, Pixels]) }),
  v.strictObject({
    images: bulk({
      type: "array",
      minItems: 1,
      items: { anyOf: [reference("Picture"), reference("Pixels")] },
      description: "Image files and arrays of numbers, in any mix; each gets its own answer",
    }),
  }),
]);

export const Model = v.strictObject({
  name: v.string(),
  version: v.pipe(v.string(), v.description("First 12 hexadecimal digits of the file's SHA-256")),
});

export const ScoredLabel = v.strictObject({ label: v.string(), class_index: count, score });

export const Prediction = v.strictObject({
  ...ScoredLabel.entries,
  label: v.pipe(
    v.nullable(v.string()),
    v.description("The best class; null if the image is unfamiliar and `reject` is true"),
  ),
  familiarity: v.optional(v.pipe(
    v.number(),
    v.description(
      "How much the image resembles the training images: the share of validation images that are less familiar, " +
        "in 0..1. Absent if the model has no such output",
    ),
  )),
  unfamiliar: v.optional(
    v.pipe(
      v.boolean(),
      v.description("Whether it is below the model's threshold: the label means little then"),
    ),
  ),
  top: v.pipe(v.array(ScoredLabel), v.description("The best `top_k` classes, best first")),
});

export const Failure = v.strictObject({
  error: v.strictObject({ status: v.number(), title: v.string(), detail: v.string() }),
});

export const ClassifyResponse = v.strictObject({
  model: Model,
  predictions: v.pipe(
    v.array(v.union([Prediction, Failure])),
    v.description("One per image, in the order of the request; an image that cannot be read has an `error`"),
  ),
});

export const FeedbackRequest = v.strictObject({
  request_id: v.pipe(
    v.string(),
    v.description("`X-Request-Id` of the response to a request of the last ten minutes"),
  ),
  label: v.pipe(v.string(), v.description("What the image shows: a label of the model")),
  index: v.optional(v.pipe(count, v.description("Which image of the request, 0 by default"))),
});

export const FeedbackResponse = v.strictObject({
  label: v.string(),
  file: v.pipe(v.string(), v.description("The name of the picture in the store")),
});

export const Problem = v.strictObject({
  type: v.literal("about:blank"),
  title: v.string(),
  status: v.number(),
  detail: v.string(),
});

const Score = v.strictObject({ images: count, accuracy: v.number(), loss: v.number() });

export const ModelResponse = v.strictObject({
  ...Model.entries,
  labels: v.array(v.string()),
  input: v.strictObject({ channels: positive, height: positive, width: positive }),
  metrics: v.optional(
    v.strictObject({
      validation: v.optional(Score),
      test: Score,
      calibration: v.optional(
        v.strictObject({
          temperature: v.number(),
          ece: v.strictObject({ before: v.number(), after: v.number() }),
        }),
      ),
    }),
  ),
  familiarity: v.optional(v.pipe(
    v.looseObject({ threshold: v.number() }),
    v.description("How to read `familiarity`; absent if the model has no such output"),
  )),
  provenance: v.object({
    dataset: v.optional(
      v.strictObject({ name: v.string(), sha256: v.string(), split_seed: v.optional(v.number()) }),
    ),
    recipe: v.optional(v.record(v.string(), v.unknown())),
    seed: v.optional(v.number()),
    backend: v.optional(v.string()),
    code_version: v.optional(v.string()),
  }),
  accepts: v.array(v.string()),
  feedback: v.pipe(v.boolean(), v.description("Whether `POST /v1/feedback` is on")),
  limits: v.strictObject({ body_bytes: positive, images: positive, pixels: positive }),
});

export const Health = v.strictObject({ status: v.literal("ok") });

// Hugging Face's image classification task.

export const HuggingFaceRequest = object({
  inputs: Picture,
  parameters: v.optional(v.nullable(object({
    top_k: v.optional(v.nullable(positive)),
    function_to_apply: v.optional(v.nullable(v.picklist(["softmax", "none"]))),
    // Of zero-shot classification, which has the same request and response but classes of the client's choice.
    candidate_labels: v.optional(v.never("absent, as the model has its own labels")),
  }))),
});

export const HuggingFaceResponse = v.array(v.strictObject({ label: v.string(), score }));

// The Open Inference Protocol.

/** `{"error": …}`, as Hugging Face has it too. */
export const PlainError = v.strictObject({ error: v.string() });

const Parameters = dictionary(v.union([v.string(), v.number(), v.boolean()]), 64);
const flag = { type: "boolean" };

const Tensor = v.strictObject({ name: v.string(), datatype: v.string(), shape: v.array(v.number()) });

export const TensorShape = documented(list(positive, 1, 8), {
  description: "[N, C, H, W] or [N, C × H × W], and [N, H, W] if C is 1",
});

export const TensorData = bulk({
  type: "array",
  items: { anyOf: [{ type: "number" }, reference("TensorData")] },
  description: "Flat in row-major order, or nested according to the shape",
});

export const InferInput = object({
  name: v.string(),
  shape: TensorShape,
  datatype: v.picklist(DATATYPES),
  parameters: v.optional(documented(Parameters, {
    properties: { binary_data_size: { type: "integer", minimum: 0, description: "Bytes after the JSON" } },
  })),
  data: v.optional(TensorData),
});

export const InferOutput = object({
  name: v.string(),
  parameters: v.optional(documented(Parameters, {
    properties: { binary_data: flag, classification: { type: "integer", minimum: 1 } },
  })),
});

export const InferRequest = object({
  id: v.optional(v.string()),
  parameters: v.optional(documented(Parameters, { properties: { binary_data_output: flag } })),
  inputs: list(InferInput, 1, 16),
  outputs: v.optional(list(InferOutput, 0, 16)),
});

export const InferResponse = v.strictObject({
  model_name: v.string(),
  model_version: v.string(),
  id: v.optional(v.string()),
  outputs: v.array(v.strictObject({
    ...Tensor.entries,
    datatype: v.picklist(["FP32", "BYTES"]),
    parameters: v.optional(v.strictObject({ binary_data_size: count })),
    data: v.optional(v.union([v.array(v.number()), v.array(v.string())])),
  })),
});

export const ServerMetadata = v.strictObject({
  name: v.string(),
  version: v.string(),
  extensions: v.array(v.string()),
});

export const ModelMetadata = v.strictObject({
  name: v.string(),
  versions: v.array(v.string()),
  platform: v.string(),
  inputs: v.array(Tensor),
  outputs: v.array(Tensor),
});

export const ServerLive = v.strictObject({ live: v.boolean() });
export const ServerReady = v.strictObject({ live: v.boolean(), ready: v.boolean() });
export const ModelReady = v.strictObject({ name: v.string(), ready: v.boolean() });

const ConfigTensor = v.object({ name: v.string(), data_type: v.string(), dims: v.array(v.number()) });

export const ModelConfig = v.object({
  name: v.string(),
  platform: v.string(),
  max_batch_size: positive,
  input: v.array(ConfigTensor),
  output: v.array(ConfigTensor),
});

const Duration = v.strictObject({ count, ns: count });

export const Statistics = v.strictObject({
  model_stats: v.array(v.strictObject({
    name: v.string(),
    version: v.string(),
    last_inference: v.pipe(count, v.description("Milliseconds since 1970")),
    inference_count: count,
    execution_count: count,
    inference_stats: v.strictObject({
      success: Duration,
      fail: Duration,
      queue: Duration,
      compute_input: Duration,
      compute_infer: Duration,
      compute_output: Duration,
    }),
    batch_stats: v.array(v.strictObject({
      batch_size: count,
      compute_input: Duration,
      compute_infer: Duration,
      compute_output: Duration,
    })),
  })),
});

export const RepositoryIndexRequest = object({
  ready: v.optional(v.pipe(v.boolean(), v.description("Whether only models that are ready are listed"))),
});

export const RepositoryIndex = v.array(v.strictObject({
  name: v.string(),
  version: v.string(),
  state: v.picklist(["READY", "UNAVAILABLE"]),
  reason: v.string(),
}));

export const Empty = v.strictObject({});
