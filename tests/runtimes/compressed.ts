/**
 * The part of the suite of requests about compressed bodies.
 *
 * @module
 */
import { assertEquals, assertLess, assertStringIncludes } from "@std/assert";
import { deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import { readConfig } from "../../serve/config.ts";
import { box, read, truth, two, V2 } from "./protocol_helpers.ts";
import type { Send } from "./requests.ts";

const { maxBodyBytes: MAX_BODY_BYTES } = readConfig();

function post(
  send: Send,
  coding: string,
  body: Uint8Array,
  { path = "/v1/classify?top_k=10", type = "application/octet-stream" } = {},
): Promise<Response> {
  const headers = { "content-type": type, "content-encoding": coding };
  return send(path, { method: "POST", headers, body: new Uint8Array(body) });
}

async function assertRefused(response: Response, status: number, detail: string): Promise<void> {
  const text = await response.text();
  assertEquals(response.status, status, text);
  assertStringIncludes(JSON.parse(text).detail, detail);
}

/** Name → requests, and what the responses must be. */
export const COMPRESSED: Record<string, (send: Send) => Promise<void>> = {
  "reads bodies that are compressed with gzip or deflate": async (send) => {
    const wanted = await truth(send, 0);
    const pixels = box(0);
    for (
      const [coding, body] of [
        ["gzip", gzipSync(pixels)],
        ["x-gzip", gzipSync(pixels)],
        [" GZIP ", gzipSync(pixels)],
        ["deflate", deflateSync(pixels)],
        ["identity", pixels],
      ] as const
    ) {
      const { predictions } = await read<{ predictions: unknown[] }>(await post(send, coding, body));
      assertEquals(predictions, wanted, coding);
    }
    const json = new TextEncoder().encode(JSON.stringify(two()));
    const options = { path: `${V2}/infer`, type: "application/json" };
    const { model_name } = await read<{ model_name: string }>(
      await post(send, "gzip", gzipSync(json), options),
    );
    assertEquals(model_name, "fashion-mnist");
  },

  "rejects bodies that cannot be inflated": async (send) => {
    const body = gzipSync(box(0));
    const flipped = body.with(body.length - 6, body.at(-6)! ^ 1);
    const broken = [body.subarray(0, -9), body.subarray(0, 5), box(0), new Uint8Array([...body, 1]), flipped];
    for (const body of broken) {
      await assertRefused(await post(send, "gzip", body), 400, "it must be intact gzip data");
    }
    await assertRefused(await post(send, "deflate", deflateRawSync(box(0))), 400, "intact deflate data");
    for (const coding of ["br", "zstd", "gzip, gzip", "constructor"]) {
      const response = await post(send, coding, body);
      assertEquals(response.headers.get("accept-encoding"), "gzip, deflate, identity");
      await assertRefused(response, 415, "its content-encoding must be gzip, deflate or identity");
    }
  },

  "stops inflating a body at the limit": async (send) => {
    const block = gzipSync(new Uint8Array(MAX_BODY_BYTES + 1));
    assertLess(block.length, 20_000);
    await assertRefused(await post(send, "gzip", block), 413, `at most ${MAX_BODY_BYTES} bytes`);
    // 48 MB. workerd closes the connection, perhaps before the response has arrived, if more than 64 kB are left to read
    // (canceledUploadGraceBytes of kj/compat/http.h).
    const bomb = deflateSync(new Uint8Array(6 * MAX_BODY_BYTES));
    assertLess(bomb.length, 65_536);
    await assertRefused(await post(send, "deflate", bomb), 413, `at most ${MAX_BODY_BYTES} bytes`);
  },
};
