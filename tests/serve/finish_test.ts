import { assertEquals } from "@std/assert";
import { createApp } from "../../serve/app.ts";
import { readConfig } from "../../serve/config.ts";
import { Classifier } from "../../shared/inference/classifier.ts";
import { tinyModel } from "../helpers/tiny_model.ts";

Deno.test("Every request that takes memory is finished after its client has disconnected, also on workerd", async () => {
  const app = createApp({
    load: () => Classifier.load(tinyModel()),
    report: () => {},
    config: readConfig({ API_KEYS: "a-key-of-feedback-0123456789", BODY_TIMEOUT_MS: "100" }),
    feedback: {
      store: {
        list: () => Promise.resolve([]),
        write: () => Promise.resolve(),
        delete: () => Promise.resolve(),
      },
      hasRecent: true,
    },
  });
  for (
    const [path, type] of [
      ["/v1/classify", "application/octet-stream"],
      ["/v2/models/columns/infer", "application/json"],
      ["/v1/feedback?label=left", "image/png"],
      ["/v2/repository/index", "application/json"],
    ] as const
  ) {
    // Its body does not end, so the request is stopped in the middle.
    const body = new ReadableStream({ start: (controller): void => controller.enqueue(new Uint8Array(9)) });
    const headers = { "content-type": type, authorization: "Bearer a-key-of-feedback-0123456789" };
    const kept = Promise.withResolvers<string>();
    const response = app.request(path, { method: "POST", headers, body }, {
      waitUntil: () => kept.resolve("kept"),
    });

    assertEquals(await Promise.race([kept.promise, response]), "kept", path);
  }
});
