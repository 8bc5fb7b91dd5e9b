/**
 * `POST /models/{model}`: Hugging Face's image classification task
 * (https://huggingface.co/docs/inference-providers/tasks/image-classification), so that its clients work with
 * this server as their endpoint: an image file as the body, or `{"inputs": "<base64>", "parameters": {…}}`, gives
 * `[{"label": …, "score": …}]`; errors are `{"error": …}`.
 *
 * @module
 */
import type { Handler } from "hono";
import type { AppEnv } from "../context.ts";
import type { Service } from "../protocols/protocol.ts";
import { answer } from "./answer.ts";
import { mostClasses, rank } from "./options.ts";

/** Their default. */
const TOP_K = 5;

export function classifyTask(service: Service): Handler<AppEnv> {
  return async (c): Promise<Response> =>
    await answer(c, service, {
      form: "huggingFace",
      write(scores, { topK, apply }, classifier): Response {
        // As on Hugging Face, more classes than the model has return all.
        const most = mostClasses(classifier, service.config);
        const options = { topK: Math.min(topK ?? TOP_K, most), apply: apply ?? "softmax" as const };
        const [top] = rank(scores, options, classifier);
        return c.json(top!.map(({ label, score }) => ({ label, score })));
      },
    });
}
