import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import fc from "fast-check";
import { createApp } from "../../serve/app.ts";
import { Classifier } from "../../shared/inference/classifier.ts";
import { encodeJpeg, encodeWebp } from "../helpers/picture_encoders.js";
import { encodePng } from "../helpers/png_encoder.ts";
import { middlePicture, tinyModel } from "../helpers/tiny_model.ts";

// Images are 3×2 pixels, and each logit is the sum of one column: "left", "middle", "<right>".
const reports: unknown[] = [];
const app = createApp({
  load: () => Classifier.load(tinyModel()),
  report: (error) => reports.push(error),
});

async function post(path: string, body: BodyInit, headers: Record<string, string> = {}): Promise<Response> {
  return await app.fetch(new Request(`http://localhost${path}`, { method: "POST", headers, body }));
}

function softmax(logits: number[]): number[] {
  const exponents = logits.map(Math.exp);
  const sum = exponents.reduce((a, b) => a + b);
  return exponents.map((value) => value / sum);
}

Deno.test("The Open Inference Protocol gives the numbers of a model that can be done by hand", async () => {
  const data = [1, 0, 0.5, 1, 0.25, 0];
  const inputs = [{ name: "image", datatype: "FP32", shape: [1, 1, 2, 3], data }];
  const response = await post("/v2/models/columns/infer", JSON.stringify({ id: "7", inputs }));
  const { model_name, id, outputs: [logits, probabilities] } = await response.json();
  assertEquals([model_name, id], ["columns", "7"]);
  assertEquals(logits, { name: "logits", datatype: "FP32", shape: [1, 3], data: [2, 0.25, 0.5] });
  for (const [i, wanted] of softmax([2, 0.25, 0.5]).entries()) {
    assertAlmostEquals(probabilities.data[i], wanted, 1e-6);
  }
});

Deno.test("Triton's classification has six decimals, and labels as they are", async () => {
  const inputs = [{ name: "image", datatype: "UINT8", shape: [1, 6], data: [0, 0, 255, 0, 51, 255] }];
  const outputs = [{ name: "logits", parameters: { classification: 3 } }];
  const response = await post("/v2/models/columns/infer", JSON.stringify({ inputs, outputs }));
  assertEquals((await response.json()).outputs, [{
    name: "logits",
    datatype: "BYTES",
    shape: [1, 3],
    data: ["2.000000:2:<right>", "0.200000:1:middle", "0.000000:0:left"],
  }]);
});

Deno.test("Tensors as bytes are laid out as Triton's are", async () => {
  const json = JSON.stringify({
    inputs: [{ name: "image", datatype: "FP32", shape: [1, 6], parameters: { binary_data_size: 24 } }],
    outputs: [{ name: "logits", parameters: { binary_data: true } }],
  });
  // 1.0, 0.5 and 0 as Triton's clients write them, little-endian.
  const numbers = [0, 0, 0x80, 0x3f, 0, 0, 0, 0x3f, ...Array(16).fill(0)];
  const body = new Blob([json, Uint8Array.from(numbers)]);
  const response = await post("/v2/models/columns/infer", body, {
    "inference-header-content-length": String(json.length),
  });
  const bytes = new Uint8Array(await response.arrayBuffer());
  const length = Number(response.headers.get("inference-header-content-length"));
  assertEquals([...bytes.subarray(length)], [0, 0, 0x80, 0x3f, 0, 0, 0, 0x3f, 0, 0, 0, 0]);
});

Deno.test("Hugging Face's answer has the numbers of a model that can be done by hand", async () => {
  const answer = await (await post("/models/columns", middlePicture())).json();
  assertEquals(answer.map(({ label }: { label: string }) => label), ["middle", "left", "<right>"]);
  assertAlmostEquals(answer[0].score, softmax([2, 0, 0])[0]!, 1e-6);
});

Deno.test("A model that cannot be loaded is not ready in every protocol, and the server lives", async () => {
  const app = createApp({ load: () => Promise.reject(new Error("/secret/path")), report: () => {} });
  const cases: [string, number, unknown][] = [
    ["/v2/health/live", 200, { live: true }],
    ["/v2/health/ready", 503, { live: true, ready: false }],
    ["/v2/models/columns/ready", 503, { name: "columns", ready: false }],
    ["/v2/models/columns", 503, { error: "The model cannot be loaded" }],
  ];
  for (const [path, status, answer] of cases) {
    const response = await app.request(path);
    assertEquals(response.status, status);
    assertEquals(await response.json(), answer);
  }
  const response = await app.request("/models/columns", { method: "POST", body: "x" });
  assertEquals([response.status, await response.json()], [503, { error: "The model cannot be loaded" }]);
});

Deno.test("No request of any protocol causes an internal error", async () => {
  const picture = { width: 3, height: 2, data: Uint8Array.from({ length: 24 }, (_, i) => 10 * i) };
  const png = encodePng({
    width: 3,
    height: 2,
    depth: 8,
    colour: 2,
    interlaced: false,
    filters: [1],
    sample: (x, y) => x * y,
  });
  const files = [
    png,
    await encodeJpeg(picture),
    await encodeWebp(picture),
    await encodeWebp(picture, { lossless: 1 }),
  ];
  const inference = {
    id: "1",
    inputs: [{
      name: "image",
      datatype: "FP32",
      shape: [1, 6],
      data: [0, 0, 1, 0, 0, 0],
      parameters: { binary_data_size: 6 },
    }],
    outputs: [{ name: "logits", parameters: { classification: 1, binary_data: true } }],
  };
  const native = { images: [[1, 2, 3, 4, 5, 6], files[1]!.toBase64()] };
  const face = { inputs: files[2]!.toBase64(), parameters: { top_k: 2, function_to_apply: "none" } };
  const text = (value: unknown): Uint8Array<ArrayBuffer> => new TextEncoder().encode(JSON.stringify(value));
  const form = new FormData();
  for (const file of files) form.append("file", new Blob([file]));
  const encoded = new Response(form);
  const formType = encoded.headers.get("content-type")!;
  const formBytes = new Uint8Array(await encoded.arrayBuffer());

  const base = fc.constantFrom(
    ...files,
    text(native),
    text(face),
    text(inference),
    formBytes,
    new Uint8Array(12),
  );
  /** JSON with any part of it replaced. */
  const reshaped = fc.tuple(fc.constantFrom(native, face, inference), fc.nat(), fc.json({ maxDepth: 2 })).map(
    ([value, at, other]) => {
      const parts = JSON.stringify(value).split(/(?<=[:,[])/);
      parts[at % parts.length] = `${other}${/[,\]}]*$/.exec(parts[at % parts.length]!)![0]}`;
      return new TextEncoder().encode(parts.join(""));
    },
  );
  const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 });
  const mutated = fc.tuple(base, changes, fc.nat(100)).map(([bytes, changes, cut]) => {
    const copy = bytes.slice(0, cut < 20 ? -cut - 1 : undefined);
    for (const [at, value] of changes) if (copy.length > 0) copy[at % copy.length] = value;
    return copy;
  });
  const path = fc.constantFrom(
    "/v1/classify",
    "/v1/classify?top_k=3&function_to_apply=none",
    "/models/columns",
    "/v2/models/columns/infer",
    "/v2/models/columns/infer/",
  );
  const type = fc.constantFrom(
    "application/octet-stream",
    "application/json",
    "image/png",
    "image/jpeg",
    "image/webp",
    formType,
  );
  const length = fc.option(fc.oneof(fc.nat(300).map(String), fc.constantFrom("", "-1", "x", "1e2")), {
    nil: undefined,
  });
  let answered = 0;
  await fc.assert(
    fc.asyncProperty(path, type, fc.oneof(mutated, reshaped), length, async (path, type, body, length) => {
      const response = await post(path, body, {
        "content-type": type,
        ...(length !== undefined && { "inference-header-content-length": length }),
      });
      const bytes = await response.bytes();
      if (response.status === 200) {
        answered++;
        assert(!/[:,[]null|NaN/.test(new TextDecoder().decode(bytes)), "a score is no number");
        return;
      }
      assert(
        [400, 413, 415, 422].includes(response.status),
        `${response.status} ${new TextDecoder().decode(bytes)}`,
      );
      const { detail, error } = JSON.parse(new TextDecoder().decode(bytes));
      assert(/^Cannot /.test(detail ?? error), detail ?? error);
    }),
    { numRuns: 3000 },
  );
  assertEquals(reports, []);
  assert(answered > 100, `only ${answered} were answered`);
});
