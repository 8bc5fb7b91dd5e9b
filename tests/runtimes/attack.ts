/**
 * What one client may not do to others, as a suite of requests for every runtime. No step measures time: what counts is
 * the order of the answers, and which requests are refused.
 *
 * @module
 */
import { assert, assertEquals, assertGreater } from "@std/assert";
import { deflateSync } from "node:zlib";
import { PIXELS } from "../helpers/http.ts";
import { headerOf, pngFile } from "../helpers/png_encoder.ts";
import type { Suite } from "./guards.ts";
import type { Send } from "./requests.ts";

/** A PNG that takes long for its few bytes: 16-bit red, green, blue and alpha, Paeth on every line. */
function slowPng(width: number, height: number): Uint8Array<ArrayBuffer> {
  const lines = new Uint8Array((1 + 8 * width) * height);
  for (let y = 0; y < height; y++) {
    lines.fill(4, y * (1 + 8 * width), y * (1 + 8 * width) + 1);
    lines.fill(y % 7, y * (1 + 8 * width) + 800, y * (1 + 8 * width) + 1600);
  }
  const header = headerOf({ width, height, depth: 16, colour: 6, interlaced: false });
  return pngFile(["IHDR", header], ["IDAT", new Uint8Array(deflateSync(lines))], ["IEND", new Uint8Array()]);
}

const SLOW = slowPng(1000, 1000);
const BYTES = "application/octet-stream";

/** Both servers of the suite take the client's address from this header. */
const CLIENT = "cf-connecting-ip";

interface Sent {
  client: string;
  type?: string;
  body?: BodyInit;
  signal?: AbortSignal;
}

/** @returns the status; refusals must say when to come back */
async function post(send: Send, { client, type = "image/png", body = SLOW, signal }: Sent): Promise<number> {
  const response = await send("/v1/classify", {
    method: "POST",
    headers: { "content-type": type, [CLIENT]: client },
    body,
    ...(signal && { signal }),
  });
  await response.arrayBuffer();
  if (response.status === 503) assertEquals(response.headers.get("retry-after"), "1");
  return response.status;
}

/** Addresses of two clients. */
export const A = "192.0.2.1", B = "198.51.100.2";

/** A server as it comes, that is told the address of its clients. */
export const ATTACK: Suite = {
  variables: { CLIENT_ADDRESS_HEADER: CLIENT, QUEUE_TIMEOUT_MS: "6000" },
  requests: {
    "answers a small request before the large ones of another client": async (send) => {
      // The first picture may start what decodes it.
      assertEquals(await post(send, { client: B }), 200);
      const done: string[] = [];
      const note = async (name: string, sent: Sent): Promise<void> => {
        done.push(`${name} ${await post(send, sent)}`);
      };
      const large = Array.from({ length: 8 }, () => note("large", { client: A }));
      const small = note("small", { client: B, type: BYTES, body: PIXELS });
      await Promise.all([...large, small]);
      const answered = done.filter((one) => one.endsWith("200"));
      assertGreater(answered.length, 1, done.join());
      assert(answered.slice(0, 3).includes("small 200"), done.join());
    },

    "answers a small request before the many images of another client": async (send) => {
      const many = new Uint8Array(256 * 784).map((_, i) => i * i % 251);
      const done: string[] = [];
      const note = async (name: string, sent: Sent): Promise<void> => {
        done.push(`${name} ${await post(send, sent)}`);
      };
      const large = Array.from({ length: 24 }, () => note("large", { client: A, type: BYTES, body: many }));
      await Promise.race(large);
      await note("small", { client: B, type: BYTES, body: PIXELS });
      await Promise.all(large);
      // Of those that were not refused, some come later.
      const answered = done.filter((one) => one.endsWith("200"));
      const place = answered.indexOf("small 200");
      assert(place >= 0 && place < answered.length - 1, done.join());
    },

    "refuses large requests that would wait too long, and has room for another client": async (send) => {
      const attack = Promise.all(Array.from({ length: 160 }, () => post(send, { client: A })));
      const other = await post(send, { client: B });
      const statuses = await attack;
      const count = (status: number): number => statuses.filter((one) => one === status).length;
      assertEquals(count(200) + count(503), 160, statuses.join());
      assertGreater(count(200), 0);
      assertGreater(count(503), 0);
      assertEquals(other, 200);
      assertEquals(await post(send, { client: A }), 200, "and recovers");
    },

    "drops the work of clients that disconnect": async (send) => {
      for (let round = 0; round < 3; round++) {
        await Promise.all(Array.from({ length: 12 }, async (_, i) => {
          const stop = new AbortController();
          const sent = post(send, { client: A, signal: stop.signal }).catch(() => {});
          // At various stages: some requests are being read, some wait and some are decoded.
          for (let turn = 0; turn < 8 * i; turn++) await new Promise((resolve) => setTimeout(resolve));
          stop.abort();
          await sent;
        }));
      }
      assertEquals(await post(send, { client: A }), 200);
      assertEquals(await post(send, { client: B, type: BYTES, body: PIXELS }), 200);
    },
  },
};
