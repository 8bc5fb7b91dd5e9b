/**
 * `GET /healthz`: 200 once the model can answer, 503 if it cannot be loaded.
 *
 * @module
 */
import type { Handler } from "hono";
import type { Classifier } from "../../shared/inference/classifier.ts";

export function health(classifier: () => Promise<Classifier>): Handler {
  return async (c): Promise<Response> => {
    await classifier();
    return c.json({ status: "ok" });
  };
}
