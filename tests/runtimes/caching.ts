/**
 * The part of the suite of requests about what clients keep: entity tags, ranges, and HEAD.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { V2 } from "./protocol_helpers.ts";
import type { Send } from "./requests.ts";

/** What depends on the program and the model only. */
const KEPT = [
  "/",
  "/docs",
  "/openapi.json",
  "/playground/main.js",
  "/playground/icon.svg",
  "/v1/model",
  "/v1/model/file",
  "/v2",
  "/v2/",
  V2,
  `${V2}/config`,
];

async function get(send: Send, path: string, headers: Record<string, string> = {}): Promise<Response> {
  const response = await send(path, { headers });
  return new Response(response.status === 304 ? null : await response.bytes(), response);
}

/** Name → requests, and what the responses must be. */
export const CACHING: Record<string, (send: Send) => Promise<void>> = {
  "answers 304 to clients that have the current content": async (send) => {
    for (const path of KEPT) {
      const response = await get(send, path);
      assertEquals(response.status, 200, path);
      const tag = response.headers.get("etag")!;
      assertMatch(tag, /^(W\/)?"[\w.-]+"$/, path);
      assertMatch(response.headers.get("cache-control")!, /^(no-cache|private, max-age)/, path);
      const opaque = tag.replace("W/", "");
      for (const current of [tag, opaque, `W/${opaque}`, "*", `"other", W/"a,b",${opaque}`]) {
        const again = await get(send, path, { "if-none-match": current });
        assertEquals(again.status, 304, `${path} ${current}`);
        // They replace those of the stored response (RFC 9111, section 3.2).
        for (const name of ["etag", "content-security-policy", "cache-control", "service-worker-allowed"]) {
          assertEquals(again.headers.get(name), response.headers.get(name), `${name} of ${path}`);
        }
      }
      for (const stale of ['"other"', `"${opaque.slice(1, -2)}"`, "", opaque.slice(1, -1), `W/"other"`]) {
        assertEquals((await get(send, path, { "if-none-match": stale })).status, 200, `${path} ${stale}`);
      }
      const head = await send(path, { method: "HEAD", headers: { "if-none-match": tag } });
      assertEquals(head.status, 304, path);
    }
  },

  "does not let clients keep what changes": async (send) => {
    for (const path of ["/livez", "/readyz", "/v2/health/ready", `${V2}/ready`, `${V2}/stats`]) {
      const response = await get(send, path, { "if-none-match": "*" });
      assertEquals([response.status, response.headers.get("etag")], [200, null], path);
    }
  },

  "sends parts of the model's file": async (send) => {
    const path = "/v1/model/file";
    const whole = await get(send, path);
    const tag = whole.headers.get("etag")!;
    assertEquals(whole.headers.get("accept-ranges"), "bytes");
    const file = await whole.bytes();
    const size = file.length;
    const cases: [string, number, number][] = [
      ["bytes=0-0", 0, 1],
      ["bytes=100-299", 100, 300],
      [`bytes=${size - 5}-`, size - 5, size],
      ["bytes=-7", size - 7, size],
      [`bytes=${size - 2}-${size + 1000}`, size - 2, size],
      [`bytes=-${size + 1}`, 0, size],
    ];
    for (const [range, start, end] of cases) {
      for (const condition of [{}, { "if-range": tag }, { range: range.toUpperCase() }]) {
        const part = await get(send, path, { range, ...condition });
        assertEquals(part.status, 206, range);
        assertEquals(part.headers.get("content-range"), `bytes ${start}-${end - 1}/${size}`);
        assertEquals(part.headers.get("etag"), tag);
        assertEquals(await part.bytes(), file.subarray(start, end));
      }
    }
    for (const range of ["bytes=5-4", "bytes=0-1,5-6", "items=0-1", "bytes=-", "bytes=a-b"]) {
      const response = await get(send, path, { range });
      assertEquals([response.status, (await response.bytes()).length], [200, size], range);
    }
    const changed = await get(send, path, { range: "bytes=0-9", "if-range": '"another version"' });
    assertEquals([changed.status, (await changed.bytes()).length], [200, size]);
    for (const range of ["bytes=0-9", `bytes=${size}-`]) {
      const unchanged = await get(send, path, { range, "if-none-match": tag });
      assertEquals([unchanged.status, unchanged.headers.get("content-range")], [304, null], range);
    }
    for (const range of [`bytes=${size}-`, "bytes=-0", "bytes=99999999999-"]) {
      const response = await get(send, path, { range });
      assertEquals(response.status, 416, range);
      assertEquals(response.headers.get("content-range"), `bytes */${size}`);
      assertStringIncludes((await response.json()).detail, `the file has ${size} bytes`);
    }
  },

  "declares the length of the content in answers to HEAD": async (send) => {
    for (const path of [...KEPT, "/livez", "/no-such-path", "/v1/classify"]) {
      const response = await get(send, path, { "accept-encoding": "identity" });
      const head = await send(path, { method: "HEAD", headers: { "accept-encoding": "identity" } });
      assertEquals(head.status, response.status, path);
      assertEquals(await head.text(), "");
      assertEquals(head.headers.get("content-length"), String((await response.bytes()).length), path);
    }
  },

  "asks proxies not to compress the Open Inference Protocol": async (send) => {
    for (const path of ["/v2", V2, "/v2/health/ready", "/v2/models/other", "/v2/other"]) {
      const response = await get(send, path);
      assert(response.headers.get("cache-control")!.split(", ").includes("no-transform"), path);
    }
  },
};
