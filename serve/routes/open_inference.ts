/**
 * The Open Inference Protocol V2, REST, as KServe and Triton speak it
 * (https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md), with
 * Triton's extensions for statistics and the model's configuration; `infer.ts` has the inference itself.
 *
 * The text of the specification and its OpenAPI file disagree in places; where they do, both are served: every
 * path with and without a slash at its end, and `{"live": …, "ready": …}` with all keys that either has.
 *
 * @module
 */
import type { Context, Handler, Hono } from "hono";
import config from "../../deno.json" with { type: "json" };
import { INPUT, LOGITS, PROBABILITIES } from "../../shared/contract.ts";
import type { Classifier } from "../../shared/inference/classifier.ts";
import type { AppEnv } from "../context.ts";
import type { Service } from "./answer.ts";
import { checkModel, infer } from "./infer.ts";

const EXTENSIONS = ["classification", "binary_tensor_data", "statistics", "model_configuration"];

type Describe = (classifier: Classifier, c: Context<AppEnv>) => unknown;

/** Adds the protocol's routes. */
export function openInference(app: Hono<AppEnv>, service: Service): void {
  const { engine, statistics } = service;
  const get = (path: string, handler: Handler<AppEnv>): void => {
    app.get(path, handler);
    app.get(`${path}/`, handler);
  };
  /** A path of the model, with and without its version. */
  const getModel = (path: string, describe: Describe): void => {
    const handler: Handler<AppEnv> = async (c) => {
      const classifier = await engine.classifier();
      checkModel(c, classifier);
      return c.json(describe(classifier, c) as Record<string, unknown>);
    };
    get(`/v2/models/:model${path}`, handler);
    get(`/v2/models/:model/versions/:version${path}`, handler);
  };

  get("/v2", (c) => c.json({ name: "selvedge", version: config.version, extensions: EXTENSIONS }));
  get("/v2/health/live", (c) => c.json({ live: true }));
  get("/v2/health/ready", async (c) => {
    const { ready } = await engine.ready();
    return c.json({ live: true, ready }, ready ? 200 : 503);
  });
  // Before the models' own paths, as it would be taken for the name of one.
  get("/v2/models/stats", async (c) => {
    const { name, version } = (await engine.classifier()).description;
    return c.json(statistics.describe(name, version));
  });

  getModel("", ({ description: { name, version, labels, input } }) => ({
    name,
    versions: [version],
    platform: "onnxruntime_onnx",
    inputs: [{
      name: INPUT,
      datatype: "FP32",
      shape: [-1, input.channels, input.height, input.width],
    }],
    outputs: [LOGITS, PROBABILITIES].map((name) => ({
      name,
      datatype: "FP32",
      shape: [-1, labels.length],
    })),
  }));
  getModel("/config", ({ description: { name, labels, input } }) => ({
    name,
    platform: "onnxruntime_onnx",
    max_batch_size: service.config.maxBatch,
    input: [{
      name: INPUT,
      data_type: "TYPE_FP32",
      dims: [input.channels, input.height, input.width],
    }],
    output: [LOGITS, PROBABILITIES].map((name) => ({
      name,
      data_type: "TYPE_FP32",
      dims: [labels.length],
    })),
  }));
  getModel("/stats", ({ description: { name, version } }) => statistics.describe(name, version));

  const ready: Handler<AppEnv> = async (c) => {
    const { ready } = await engine.ready();
    if (!ready) return c.json({ name: c.req.param("model") ?? "", ready }, 503);
    const classifier = await engine.classifier();
    checkModel(c, classifier);
    return c.json({ name: classifier.description.name, ready });
  };
  for (const path of ["/v2/models/:model", "/v2/models/:model/versions/:version"]) {
    get(`${path}/ready`, ready);
    app.post(`${path}/infer`, infer(service, checkModel));
    app.post(`${path}/infer/`, infer(service, checkModel));
  }
}
