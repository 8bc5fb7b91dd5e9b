/**
 * One suite of requests to the shipped model, for every runtime: what holds in one must hold in all.
 *
 * @module
 */
import { assert, assertAlmostEquals, assertEquals, assertStringIncludes } from "@std/assert";
import { constants, deflateRawSync } from "node:zlib";
import { readConfig } from "../../serve/config.ts";
import { ORT_WASM } from "../../serve/playground/names.ts";
import { sha256 } from "../../shared/sha256.ts";
import { readIdx } from "../../train/dataset/idx.ts";
import { PIXELS } from "../helpers/http.ts";
import { phonePhoto } from "../helpers/phone_photo.ts";
import { encodePng, headerOf, pngFile } from "../helpers/png_encoder.ts";
import { CACHING } from "./caching.ts";
import { COMPRESSED } from "./compressed.ts";
import { PROTOCOLS } from "./protocols.ts";

/** Sends a request to a path of the server under test. */
export type Send = (path: string, init?: RequestInit) => Promise<Response>;

interface Prediction {
  label: string;
  class_index: number;
  score: number;
  top: { label: string; class_index: number; score: number }[];
}

const LABELS = [
  "T-shirt/top",
  "Trouser",
  "Pullover",
  "Dress",
  "Coat",
  "Sandal",
  "Shirt",
  "Sneaker",
  "Bag",
  "Ankle boot",
];

/** `[28, 28]`: a bright upright box, different for each seed. */
function box(seed: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: 784 }, (_, i) => {
    const x = i % 28, y = Math.floor(i / 28);
    return x >= 6 + seed && x < 20 && y >= 2 && y < 26 - seed ? 120 + seed * 10 + x : 0;
  });
}

function post(send: Send, type: string, body: BodyInit, query = ""): Promise<Response> {
  return send(`/v1/classify${query}`, { method: "POST", headers: { "content-type": type }, body });
}

async function predictions(response: Response): Promise<Prediction[]> {
  const text = await response.text();
  assertEquals(response.status, 200, text);
  assertEquals(response.headers.get("content-type"), "application/json");
  return JSON.parse(text).predictions;
}

async function assertProblem(response: Response, status: number, detail: string): Promise<void> {
  const text = await response.text();
  assertEquals(response.status, status, text);
  assertEquals(response.headers.get("content-type"), "application/problem+json");
  assertStringIncludes(JSON.parse(text).detail, detail);
}

const { maxBodyBytes: MAX_BODY_BYTES, maxBatchSize: MAX_IMAGES } = readConfig();
const BYTES = "application/octet-stream";
const phonePhotos = Promise.all([
  phonePhoto({ object: true }),
  phonePhoto({ object: true, progressive: true }),
]);

/** Name → request and what must come back. */
export const REQUESTS: Record<string, (send: Send) => Promise<void>> = {
  "is healthy": async (send) => {
    const response = await send("/healthz");
    assertEquals(response.status, 200);
    assertEquals(await response.json(), { status: "ok" });
  },

  "describes the model": async (send) => {
    const model = await (await send("/v1/model")).json();
    assertEquals(model.labels, LABELS);
    assertEquals(model.input, { channels: 1, height: 28, width: 28 });
    assert(/^[0-9a-f]{12}$/.test(model.version));
    assert(model.metrics.test.accuracy > 0.8);
    const { model: answered } = await (await post(send, BYTES, box(0))).json();
    assertEquals(answered, { name: model.name, version: model.version });
  },

  "shows a page": async (send) => {
    const response = await send("/");
    assertEquals(response.headers.get("content-type"), "text/html; charset=utf-8");
    assertStringIncludes(response.headers.get("content-security-policy")!, "default-src 'none'");
    assertStringIncludes(await response.text(), "Ankle boot");
  },

  "gives the page what it needs to run the model itself": async (send) => {
    const script = await send("/playground/inference.js");
    assertEquals(script.headers.get("content-type"), "text/javascript; charset=utf-8");
    await script.body?.cancel();
    const program = await send(`/playground/${ORT_WASM}`);
    assertEquals(program.headers.get("content-type"), "application/wasm");
    assertStringIncludes(program.headers.get("cache-control")!, "immutable");
    assert(WebAssembly.validate(await program.bytes()));
    const { version } = await (await send("/v1/model")).json();
    const file = await send(`/v1/model/file?version=${version}`);
    assertEquals((await sha256(await file.bytes())).slice(0, 12), version);
  },

  "answers HEAD without a body": async (send) => {
    const response = await send("/healthz", { method: "HEAD" });
    assertEquals(response.status, 200);
    assertEquals(await response.text(), "");
  },

  "classifies raw bytes": async (send) => {
    const [prediction] = await predictions(await post(send, BYTES, box(0), "?top_k=10"));
    const { top, label, class_index, score } = prediction!;
    assertEquals({ label, class_index, score }, top[0]);
    assertEquals(top.map(({ label }) => label).sort(), LABELS.toSorted());
    for (const { label, class_index } of top) assertEquals(label, LABELS[class_index]);
    const scores = top.map(({ score }) => score);
    assertEquals(scores, scores.toSorted((a, b) => b - a));
    assertAlmostEquals(scores.reduce((sum, score) => sum + score), 1, 1e-5);
  },

  "gives three classes where top_k does not say": async (send) => {
    const [prediction] = await predictions(await post(send, BYTES, box(0)));
    assertEquals(prediction!.top.length, 3);
  },

  "classifies photographs of 12 megapixels": async (send) => {
    const answers = [];
    for (const photo of await phonePhotos) {
      answers.push(await predictions(await post(send, "image/jpeg", photo)));
    }
    const [sequential, progressive] = answers.map(([prediction]) => prediction!.top[0]!);
    assertEquals(sequential!.label, progressive!.label);
    assertAlmostEquals(sequential!.score, progressive!.score, 0.05);
  },

  "gives the same answer for bytes, JSON and PNG": async (send) => {
    const pixels = box(1);
    const wanted = await predictions(await post(send, BYTES, pixels));
    const json = await post(send, "application/json", JSON.stringify({ pixels: [...pixels] }));
    assertEquals(await predictions(json), wanted);
    const png = encodePng({
      width: 28,
      height: 28,
      depth: 8,
      colour: 6,
      interlaced: true,
      filters: [0, 1, 2, 3, 4],
      sample: (x, y, channel) => channel === 3 ? 255 : pixels[y * 28 + x]!,
    });
    assertEquals(await predictions(await post(send, "image/png", png)), wanted);
  },

  "classifies many images as it does each of them": async (send) => {
    const images = Array.from({ length: 5 }, (_, i) => box(i));
    const all = await predictions(await post(send, BYTES, new Blob(images)));
    assertEquals(all.length, images.length);
    for (const [i, image] of images.entries()) {
      const [one] = await predictions(await post(send, BYTES, image));
      assertEquals(all[i]!.label, one!.label);
      // Batches are multiplied in another order.
      assertAlmostEquals(all[i]!.score, one!.score, 1e-5);
    }
  },

  "fits a large PNG into the model's input": async (send) => {
    const pixels = box(0);
    const png = encodePng({
      width: 300,
      height: 200,
      depth: 8,
      colour: 0,
      interlaced: false,
      filters: [1],
      sample: (x, y) => {
        const [u, v] = [Math.floor((x - 80) / 5), Math.floor((y - 30) / 5)];
        return 255 - (u >= 0 && u < 28 && v >= 0 && v < 28 ? pixels[v * 28 + u]! : 0);
      },
    });
    const [prediction] = await predictions(await post(send, "image/png", png));
    assert(LABELS.includes(prediction!.label));
  },

  "keeps answers apart under load": async (send) => {
    const wanted = await Promise.all(
      [0, 1, 2, 3].map(async (i) => predictions(await post(send, BYTES, box(i)))),
    );
    const answers = await Promise.all(
      Array.from({ length: 40 }, async (_, i) => await predictions(await post(send, BYTES, box(i % 4)))),
    );
    for (const [i, answer] of answers.entries()) {
      for (const [rank, { label, score }] of wanted[i % 4]![0]!.top.entries()) {
        assertEquals(answer[0]!.top[rank]!.label, label);
        // Concurrent requests run in the same batch, and batches add up in another order.
        assertAlmostEquals(answer[0]!.top[rank]!.score, score, 1e-5);
      }
    }
  },

  "refuses what it cannot read": async (send) => {
    await assertProblem(await post(send, BYTES, new Uint8Array(783)), 400, "multiple of 784 bytes");
    await assertProblem(await post(send, BYTES, new Uint8Array()), 400, "the body is empty");
    await assertProblem(await post(send, BYTES, box(0), "?top_k=11"), 400, "an integer in 1..10");
    await assertProblem(
      await post(send, BYTES, new Uint8Array(784 * (MAX_IMAGES + 1))),
      413,
      "at most 256 images",
    );
    await assertProblem(await post(send, "application/json", "{"), 400, "malformed");
    await assertProblem(await post(send, "application/json", '{"pixels":[1e999]}'), 400, "784 numbers");
    await assertProblem(await post(send, "image/png", box(0)), 400, "PNG signature");
    await assertProblem(await post(send, "image/gif", box(0)), 415, "content-type must be one of");
  },

  "refuses a PNG that is a bomb": async (send) => {
    const block = new Uint8Array(
      deflateRawSync(new Uint8Array(1 << 20), { finishFlush: constants.Z_FULL_FLUSH, level: 9 }),
    );
    // 400 MB behind a header of 28×28 pixels.
    const data = new Blob([Uint8Array.of(0x78, 0xda), ...Array(400).fill(block)]);
    const header = headerOf({ width: 28, height: 28, depth: 8, colour: 0, interlaced: false });
    const png = pngFile(
      ["IHDR", header],
      ["IDAT", new Uint8Array(await data.arrayBuffer())],
      ["IEND", new Uint8Array()],
    );
    await assertProblem(await post(send, "image/png", png), 400, "does not end after 812 bytes");
  },

  "rejects a PNG whose data is truncated or not deflated": async (send) => {
    const png = encodePng({
      width: 28,
      height: 28,
      depth: 8,
      colour: 0,
      interlaced: false,
      filters: [0],
      sample: (x, y) => x * y,
    });
    const header = headerOf({ width: 28, height: 28, depth: 8, colour: 0, interlaced: false });
    // Signature, IHDR and the frame of IDAT take 41 bytes.
    const deflated = png.slice(41, -16);
    for (const data of [deflated.slice(0, -20), deflated.slice(0, 1), new Uint8Array(50), new Uint8Array()]) {
      const broken = pngFile(["IHDR", header], ["IDAT", data], ["IEND", new Uint8Array()]);
      await assertProblem(await post(send, "image/png", broken), 400, "Cannot decode the PNG as its data");
    }
  },

  "refuses a body that is too large, whether it says so or not": async (send) => {
    const size = MAX_BODY_BYTES + 1;
    await assertProblem(
      await post(send, BYTES, new Uint8Array(size)),
      413,
      `at most ${MAX_BODY_BYTES} bytes`,
    );
    await assertProblem(await post(send, BYTES, chunked(size)), 413, `at most ${MAX_BODY_BYTES} bytes`);
  },

  "answers 422 to a blank image, and classifies the others": async (send) => {
    const detail = "something in it must stand out from the background";
    await assertProblem(await post(send, BYTES, new Uint8Array(784)), 422, detail);
    const flat = encodePng({
      width: 300,
      height: 200,
      depth: 8,
      colour: 2,
      interlaced: false,
      filters: [0],
      sample: (_x, _y, channel) => 200 + channel,
    });
    await assertProblem(await post(send, "image/png", flat), 422, detail);
    const images = JSON.stringify({ images: [flat.toBase64(), [...PIXELS], Array(784).fill(9)] });
    const answer = await (await post(send, "application/json", images)).json();
    const statuses = answer.predictions.map(({ error }: { error?: { status: number } }) => error?.status);
    assertEquals(statuses, [422, undefined, 422]);
  },

  "reads a body that comes in pieces": async (send) => {
    const [prediction] = await predictions(await post(send, BYTES, chunked(784)));
    const [wanted] = await predictions(await post(send, BYTES, PIXELS));
    assertEquals(prediction, wanted);
  },

  "answers other paths with 404 and other methods with 405": async (send) => {
    await assertProblem(await send("/v3"), 404, "No route matches this path");
    const response = await send("/v1/classify");
    assertEquals(response.headers.get("allow"), "POST");
    await assertProblem(response, 405, "POST");
  },
};

/** Zeros without a content-length. */
function chunked(size: number): ReadableStream<Uint8Array<ArrayBuffer>> {
  let left = size;
  return new ReadableStream({
    pull(controller): void {
      const part = Math.min(left, 65536);
      controller.enqueue(Uint8Array.from({ length: part }, (_, i) => i % 251));
      left -= part;
      if (left === 0) controller.close();
    },
  });
}

const DATA = Deno.env.get("FASHION_MNIST_DIR");

/** Requests with real images. */
const REAL: typeof REQUESTS = {
  "labels the first ten test images, the first as an ankle boot": async (send) => {
    const pixels = (await read("t10k-images-idx3-ubyte.gz")).slice(0, 10 * 784);
    const truth = [...(await read("t10k-labels-idx1-ubyte.gz")).slice(0, 10)].map((label) => LABELS[label]);
    const found = (await predictions(await post(send, BYTES, pixels))).map(({ label }) => label);
    assertEquals(found[0], "Ankle boot");
    assertEquals(found, truth);
  },
};

async function read(name: string): Promise<Uint8Array<ArrayBuffer>> {
  return (await readIdx({ name, bytes: await Deno.readFile(`${DATA}/${name}`) })).data;
}

/** Runs all requests as steps of a test. */
export async function requestAll(t: Deno.TestContext, send: Send): Promise<void> {
  const all = { ...REQUESTS, ...PROTOCOLS, ...CACHING, ...COMPRESSED };
  for (const [name, request] of Object.entries(all)) await t.step(name, () => request(send));
  for (const [name, request] of Object.entries(REAL)) {
    // Only the data set has these images, and it is not part of the project.
    await t.step({
      name: DATA ? name : `${name} (needs FASHION_MNIST_DIR, the folder of the data set)`,
      ignore: !DATA,
      fn: () => request(send),
    });
  }
}
