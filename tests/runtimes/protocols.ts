/**
 * The part of the suite of requests about image files, forms, batches and Hugging Face, with the Open Inference
 * Protocol from its own file.
 *
 * @module
 */
import { assertAlmostEquals, assertEquals, assertNotEquals, assertStringIncludes } from "@std/assert";
import { encodeJpeg, encodeWebp } from "../helpers/picture_encoders.js";
import { encodePng, pngFile } from "../helpers/png_encoder.ts";
import { OPEN_INFERENCE } from "./open_inference.ts";
import {
  assertError,
  assertSame,
  assertSameRanking,
  box,
  classify,
  picture,
  png,
  post,
  type Ranked,
  read,
  truth,
} from "./protocol_helpers.ts";
import type { Send } from "./requests.ts";

/** Name → requests, and what the responses must be. */
export const PROTOCOLS: Record<string, (send: Send) => Promise<void>> = {
  "reads JPEG and WebP of every kind": async (send) => {
    const wanted = await truth(send, 0);
    await assertSame(classify(send, "image/webp", await encodeWebp(picture(0), { lossless: 1 })), wanted);
    for (
      const [type, body] of [
        ["image/webp", await encodeWebp(picture(0), { quality: 100 })],
        ["image/jpeg", await encodeJpeg(picture(0), { quality: 100, progressive: true })],
        ["image/jpeg", await encodeJpeg(picture(0), { quality: 100, progressive: false })],
        ["image/jpeg", await encodeJpeg(picture(0), { quality: 100, color_space: 1 })],
      ] as const
    ) {
      const [found] = await classify(send, type, body);
      assertEquals(found!.label, wanted[0]!.label);
      assertAlmostEquals(found!.score, wanted[0]!.score, 0.05);
    }
  },

  "tells a picture by its bytes, whatever it is called": async (send) => {
    await assertSame(classify(send, "image/jpeg", png(0)), await truth(send, 0));
  },

  "rejects JPEG and WebP that are truncated, too large or animated": async (send) => {
    const refuse = async (
      type: string,
      body: Uint8Array<ArrayBuffer>,
      status: number,
      detail: string,
    ): Promise<void> => {
      const response = await send("/v1/classify", {
        method: "POST",
        headers: { "content-type": type },
        body,
      });
      const text = await response.text();
      assertEquals(response.status, status, text);
      assertStringIncludes(JSON.parse(text).detail, detail);
    };
    const jpeg = await encodeJpeg(picture(0));
    const webp = await encodeWebp(picture(0));
    await refuse("image/jpeg", jpeg.slice(0, -20), 400, "the JPEG as it is truncated");
    await refuse("image/webp", webp.slice(0, -20), 400, "the WebP as it is truncated");
    await refuse("image/jpeg", new Uint8Array(9), 400, "the JPEG signature");
    await refuse("image/webp", new Uint8Array(9), 400, "the WebP signature");
    const huge = jpeg.slice();
    const frame = huge.findIndex((byte, i) => byte === 0xff && huge[i + 1]! >= 0xc0 && huge[i + 1]! <= 0xc2);
    huge.set([0xff, 0xff, 0xff, 0xff], frame + 5);
    await refuse("image/jpeg", huge, 413, "current size is 65535x65535");
    const animated = Uint8Array.from([
      ...new TextEncoder().encode("RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0"),
      ...[2, 0, 0, 0, 27, 0, 0, 27, 0, 0],
    ]);
    await refuse("image/webp", animated, 415, "it is an animation");
    const frames = (count: number): Uint8Array<ArrayBuffer> => {
      const still = png(0), end = 33;
      const chunk = pngFile(["acTL", Uint8Array.of(0, 0, 0, count, 0, 0, 0, 0)]).slice(8);
      return new Uint8Array([...still.subarray(0, end), ...chunk, ...still.subarray(end)]);
    };
    await refuse("image/png", frames(2), 415, "the PNG as it is an animation");
    assertEquals((await classify(send, "image/png", frames(1))).length, 1);
  },

  "answers 415 to image formats that it does not read, and names those that it reads": async (send) => {
    const gif = new TextEncoder().encode("GIF89a\x01\0\x01\0\0\0\0;");
    const detail = "its format must be PNG, JPEG or WebP: current format is GIF";
    const form = new FormData();
    form.append("image", new File([gif], "a.png", { type: "image/png" }));
    const json = { "content-type": "application/json" };
    const cases: [string, RequestInit][] = [
      ["/v1/classify", { headers: { "content-type": "image/png" }, body: gif }],
      ["/v1/classify", { body: form }],
      ["/v1/classify", { headers: json, body: JSON.stringify({ image: gif.toBase64() }) }],
      ["/models/fashion-mnist", { headers: { "content-type": "image/gif" }, body: gif }],
      ["/models/fashion-mnist", { headers: json, body: JSON.stringify({ inputs: gif.toBase64() }) }],
    ];
    for (const [path, init] of cases) {
      const response = await send(path, { method: "POST", ...init });
      const text = await response.text();
      assertEquals(response.status, 415, text);
      assertStringIncludes(text, detail);
    }
    const images = [gif.toBase64(), [...box(0)]];
    const [first, second] = await classify(send, "application/json", JSON.stringify({ images }));
    assertEquals([first!.error?.status, second!.error], [415, undefined]);
    const other = await send("/v1/classify", {
      method: "POST",
      headers: { "content-type": "image/gif" },
      body: gif,
    });
    assertEquals(other.status, 415);
    assertStringIncludes(other.headers.get("accept-post")!, "image/png, image/jpeg, image/webp");
    await other.body?.cancel();
  },

  "reads forms of one or more pictures, each of which answers or fails alone": async (send) => {
    const form = new FormData();
    form.append("image", new File([png(0)], "a.png", { type: "image/png" }));
    form.append("image", new File([png(1).slice(0, 50)], "b.png", { type: "image/png" }));
    form.append("other", new File([await encodeWebp(picture(2), { lossless: 1 })], "c"));
    // fetch() names the boundary.
    const [a, b, c] = await classify(send, "", form);
    const [wantedA, wantedC] = await truth(send, 0, 2);
    assertSameRanking(a!.top, wantedA!.top);
    assertSameRanking(c!.top, wantedC!.top);
    assertEquals(Object.keys(b!), ["error"]);
    assertEquals([b!.error!.status, b!.error!.title], [400, "Bad Request"]);
    assertStringIncludes(b!.error!.detail, "Cannot decode the PNG");
  },

  "refuses forms without pictures": async (send) => {
    const refuse = async (body: BodyInit, type: string | undefined, detail: string): Promise<void> => {
      const headers = type === undefined ? undefined : { "content-type": type };
      const response = await send("/v1/classify", { method: "POST", body, ...(headers && { headers }) });
      assertEquals(response.status, 400);
      assertStringIncludes((await response.json()).detail, detail);
    };
    const form = new FormData();
    form.append("image", new Blob([new Uint8Array(9)]));
    await refuse(form, undefined, "must be a PNG, JPEG or WebP file");
    form.append("name", "value");
    await refuse(form, undefined, 'each field must be a file: "name" is not');
    await refuse("x", "multipart/form-data", "the form as its content-type has no boundary");
    await refuse("x", "multipart/form-data; boundary=y", "the form as it is malformed");
  },

  "reads JSON of pictures and pixels mixed, each of which answers or fails alone": async (send) => {
    const images = [
      [...box(0)],
      png(1).toBase64(),
      `data:image/png;base64,${png(2).toBase64()}`,
      "no base64!",
      [1, 2],
      null,
      "data:image/png,abc",
    ];
    const found = await classify(send, "application/json", JSON.stringify({ images }));
    for (const [i, wanted] of (await truth(send, 0, 1, 2)).entries()) {
      assertSameRanking(found[i]!.top, wanted.top);
    }
    const details = found.slice(3).map(({ error }) => error!.detail);
    for (
      const [i, detail] of [
        "it must be base64",
        "784 numbers: current length is 2",
        "current type is null",
        "its data URI must be",
      ].entries()
    ) assertStringIncludes(details[i]!, detail);
    const image = { image: `data:image/png;base64,${png(1).toBase64()}` };
    await assertSame(classify(send, "application/json", JSON.stringify(image)), await truth(send, 1));
  },

  "bounds the pixels of a request's pictures together": async (send) => {
    // 1 Mi pixels each, of which a request may have 8.
    const large = encodePng({
      width: 1024,
      height: 1024,
      depth: 1,
      colour: 0,
      interlaced: false,
      filters: [0],
      sample: (x, y) => Number(x > 300 && y > 400),
    });
    const images = Array(9).fill(large.toBase64());
    const found = await classify(send, "application/json", JSON.stringify({ images }));
    assertEquals(found.map(({ error }) => error?.status), [...Array(8).fill(undefined), 413]);
    assertStringIncludes(found[8]!.error!.detail, "too many pixels in total");
  },

  "gives logits where function_to_apply is none": async (send) => {
    const [wanted] = await truth(send, 0);
    const [found] = await classify(send, "application/octet-stream", box(0), "&function_to_apply=none");
    assertEquals(found!.top.map(({ label }) => label), wanted!.top.map(({ label }) => label));
    // Probabilities are calibrated: softmax of the logits over a temperature.
    const { metrics } = await (await send("/v1/model")).json();
    const temperature = metrics.calibration?.temperature ?? 1;
    const exponents = found!.top.map(({ score }) => Math.exp(score / temperature));
    const sum = exponents.reduce((a, b) => a + b);
    for (const [i, { score }] of wanted!.top.entries()) assertAlmostEquals(exponents[i]! / sum, score, 1e-5);
    const response = await send("/v1/classify?function_to_apply=sigmoid", {
      method: "POST",
      headers: { "content-type": "application/octet-stream" },
      body: box(0),
    });
    assertEquals(response.status, 400);
    assertStringIncludes((await response.json()).detail, "function_to_apply must be softmax or none");
  },

  "answers as Hugging Face does": async (send) => {
    const [wanted] = await truth(send, 0);
    const rank = (k: number): { label: string; score: number }[] =>
      wanted!.top.slice(0, k).map(({ label, score }) => ({ label, score }));
    const headers = { accept: "application/json" };
    const path = "/models/fashion-mnist";
    for (const type of ["image/png", "application/octet-stream", "application/x-www-form-urlencoded"]) {
      const response = await send(path, {
        method: "POST",
        headers: { ...headers, "content-type": type },
        body: png(0),
      });
      assertEquals(await read(response), rank(5));
    }
    const inputs = png(0).toBase64();
    assertEquals(await read(await post(send, path, { inputs })), rank(5));
    assertEquals(await read(await post(send, path, { inputs, parameters: { top_k: 2 } })), rank(2));
    assertEquals(await read(await post(send, path, { inputs, parameters: { top_k: 99 } })), rank(10));
    const parameters = { top_k: 10, function_to_apply: "none" };
    const logits = await read<Ranked[]>(await post(send, path, { inputs, parameters }));
    // Ten probabilities sum to 1; logits would only by chance.
    assertNotEquals(logits.reduce((sum, { score }) => sum + score, 0).toFixed(3), "1.000");
  },

  "refuses as Hugging Face does": async (send) => {
    const path = "/models/fashion-mnist";
    await assertError(await post(send, path, {}), 400, '"inputs" is missing');
    await assertError(await post(send, path, { inputs: "no base64!" }), 400, "it must be base64");
    await assertError(await post(send, path, { inputs: "AAAA" }), 400, "must be a PNG, JPEG or WebP file");
    const top_k = { inputs: "AAAA", parameters: { top_k: 0 } };
    await assertError(await post(send, path, top_k), 400, '"parameters.top_k" must be at least 1');
    for (const candidate_labels of [["cat", "dog"], "cat,dog", []]) {
      const zeroShot = { inputs: png(0).toBase64(), parameters: { candidate_labels } };
      await assertError(
        await post(send, path, zeroShot),
        400,
        '"parameters.candidate_labels" must be absent, as the model has its own labels',
      );
    }
    await assertError(await post(send, "/models/resnet", { inputs: "AAAA" }), 404, 'Unknown model "resnet"');
    await assertError(await send(path), 405, "This path accepts POST");
    await assertError(await send("/models"), 404, "No route matches this path");
  },

  ...OPEN_INFERENCE,
};
