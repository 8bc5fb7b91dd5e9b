import { equal, ok } from "node:assert/strict";
import worker from "./worker.ts";

function classify(body: BodyInit, type: string): Promise<Response> {
  const headers = { "content-type": type };
  return worker.fetch(
    new Request("http://localhost/v1/classify", {
      method: "POST",
      headers,
      body,
    }),
  );
}

Deno.test("a picture is classified", async () => {
  const picture = await Deno.readFile(new URL("example.png", import.meta.url));
  const response = await classify(picture, "image/png");
  equal(response.status, 200);
  const { predictions: [best] } = await response.json();
  ok(best.label !== "" && best.score > 0 && best.score <= 1);
});

Deno.test("what is not a picture is refused", async () => {
  const response = await classify("no picture", "image/png");
  equal(response.status, 400);
  await response.body?.cancel();
});
