import { assertEquals, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";
import { LABELS, LEFT, shiftedModel } from "../helpers/model_folder.ts";
import { startWorkerd, type Workerd } from "./workerd_server.ts";

/** A worker that puts what it gets into the bucket. */
const WRITER = fileURLToPath(new URL("../helpers/bucket_writer.js", import.meta.url));
const BUCKETS = { r2_buckets: [{ binding: "MODELS_BUCKET", bucket_name: "models" }] };

async function put(writer: Workerd, key: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  const response = await writer.send(`/${key}`, { method: "PUT", body: bytes });
  assertEquals(await response.text(), "done");
}

async function classify(
  { send }: Workerd,
  path: string,
): Promise<{ status: number; text: string; label?: string }> {
  const response = await send(path, {
    method: "POST",
    headers: { "content-type": "application/octet-stream" },
    body: LEFT,
  });
  const text = await response.text();
  const label = response.ok ? JSON.parse(text).predictions[0].label : undefined;
  return { status: response.status, text, ...(label !== undefined && { label }) };
}

Deno.test("workerd serves the models of an R2 bucket by name and version", async () => {
  await using server = await startWorkerd({
    writer: { bindings: { main: WRITER, ...BUCKETS } },
    models: { variables: { MODEL: "b", API_KEYS: "" }, bindings: BUCKETS },
  });
  const { writer, models } = server.workers as { writer: Workerd; models: Workerd };
  await put(writer, "a/model.onnx", shiftedModel(0));
  await put(writer, "b/1/model.onnx", shiftedModel(1));
  await put(writer, "b/2/model.onnx", shiftedModel(2));
  await put(writer, "bad/model.onnx", new Uint8Array(9));
  // R2 lists 1,000 objects at a time.
  await put(writer, "a/notes.txt?copies=1000", new Uint8Array(9));
  // At once, as if for the first requests of an isolate.
  const [a, b, other] = await Promise.all(
    ["/v1/models/a/classify", "/v1/classify", "/v1/models/c/classify"].map((path) => classify(models, path)),
  );
  assertEquals([a!.label, b!.label, other!.status], [LABELS[0], LABELS[2], 404], `${a!.text} ${b!.text}`);
  const older = await models.send("/v2/models/b/versions/1/infer", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      inputs: [{ name: "image", shape: [1, 6], datatype: "UINT8", data: [...LEFT] }],
      outputs: [{ name: "probabilities", parameters: { classification: 1 } }],
    }),
  });
  assertStringIncludes(await older.text(), ":1:middle");
  assertEquals((await classify(models, "/v1/models/bad/classify")).status, 503);
  const list = await (await models.send("/v1/models")).json();
  assertEquals(
    list.models.map((
      { name, is_current, is_loaded }: Record<string, unknown>,
    ) => [name, is_current, is_loaded]),
    [["a", true, true], ["b", true, true], ["b", false, true], ["bad", true, false]],
  );
});
