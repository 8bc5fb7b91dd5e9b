import { assertEquals, assertLess, assertRejects, assertStringIncludes } from "@std/assert";
import { createApp } from "../../serve/app.ts";
import { Quota } from "../../serve/admission/quota.ts";
import { readConfig } from "../../serve/config.ts";
import { type BodyMemory, readBody } from "../../serve/middleware/body.ts";
import { Problem } from "../../serve/problem.ts";
import { loadModel } from "../../serve/model.ts";
import { tinyModel } from "../helpers/tiny_model.ts";

const CONFIG = { maxBodyBytes: 200_000, bodyTimeoutMs: 60_000 };

/** Memory and work of one client, and how much of both is taken. */
function memory(bytesPerByte = 1): BodyMemory & { expected: () => number } {
  let expected = 0;
  return {
    bodies: new Quota(10_000_000),
    client: "a",
    bytesPerByte,
    work: {
      hasRoom: () => true,
      expect: () => {
        expected++;
        return { [Symbol.dispose]: () => void expected-- };
      },
    },
    expected: () => expected,
  };
}

/** A request whose body is a stream of bytes, as on both platforms; `next` gives its parts. */
function request(
  next: () => Uint8Array<ArrayBuffer> | undefined | Promise<undefined>,
  headers: Record<string, string> = {},
): Request {
  const body = new ReadableStream({
    type: "bytes",
    async pull(controller): Promise<void> {
      const part = await next();
      if (part) return controller.enqueue(part);
      controller.close();
      controller.byobRequest?.respond(0);
    },
  });
  return new Request("http://a/", { method: "POST", headers, body });
}

function parts(count: number, size: number): () => Uint8Array<ArrayBuffer> | undefined {
  let left = count;
  return () => left-- > 0 ? new Uint8Array(size) : undefined;
}

Deno.test("readBody() takes memory for a body without a length as it grows, and none for the first 4 kB", async () => {
  const taken = memory(5), totals: number[] = [];
  const next = parts(5, 3000);
  const read = await readBody(
    request(() => {
      totals.push(taken.bodies.total);
      return next();
    }),
    CONFIG,
    taken,
  );
  // The buffer has 4,096 bytes, and then twice as many whenever it is full.
  assertEquals([...new Set(totals)], [0, 5 * 8192, 5 * 16_384]);
  assertEquals([read.bytes.length, taken.bodies.total], [15_000, 5 * 16_384]);
  read[Symbol.dispose]();
  assertEquals(taken.bodies.total, 0);
});

Deno.test("readBody() takes memory for a declared body of more than 4 kB, once that much has come", async () => {
  for (const [length, wanted] of [[4096, 0], [4097, 2 * 4097], [100_000, 2 * 100_000]] as const) {
    const taken = memory(2), totals: number[] = [];
    let left: number = length;
    const next = (): Uint8Array<ArrayBuffer> | undefined => {
      totals.push(taken.bodies.total);
      const size = Math.min(left, 4096);
      left -= size;
      return size > 0 ? new Uint8Array(size) : undefined;
    };
    const read = await readBody(request(next, { "content-length": `${length}` }), CONFIG, taken);
    assertEquals([totals[0], taken.bodies.total, read.bytes.length], [0, wanted, length]);
    read[Symbol.dispose]();
    assertEquals(taken.bodies.total, 0);
  }
});

Deno.test("readBody() frees the bytes when the body is disposed of, however it was sent", async () => {
  for (const headers of [{}, { "content-length": "100000" }]) {
    const read = await readBody(request(parts(10, 10_000), headers), CONFIG, memory());
    const { buffer } = read.bytes;
    assertEquals([read.bytes.length, buffer.detached], [100_000, false]);
    read[Symbol.dispose]();
    read[Symbol.dispose]();
    assertEquals(buffer.detached, true);
  }
});

Deno.test("readBody() gives back memory and expected work whatever happens to the body", async () => {
  const gzip = { "content-encoding": "gzip" }, length = { "content-length": "150000" };
  const fail = (): never => {
    throw new TypeError("connection reset");
  };
  /** So much of the body arrives before something happens. */
  const after = <T>(count: number, then: () => T): () => Uint8Array<ArrayBuffer> | T => {
    const next = parts(count, 10_000);
    return () => next() ?? then();
  };
  const silence = (): Promise<undefined> => new Promise(() => {});
  const late = { ...CONFIG, bodyTimeoutMs: 1 };
  const cases: [number, Request, typeof CONFIG][] = [];
  for (const headers of [{}, length, gzip]) {
    for (const count of [0, 1, 8]) {
      cases.push([400, request(after(count, fail), headers), CONFIG]);
      // Zeros are no gzip data.
      const isCorrupt = headers === gzip && count > 0;
      cases.push([isCorrupt ? 400 : 408, request(after(count, silence), headers), isCorrupt ? CONFIG : late]);
    }
  }
  cases.push([413, request(parts(30, 10_000)), CONFIG], [400, request(parts(9000, 1)), CONFIG]);
  for (const [wanted, request, config] of cases) {
    const taken = memory(3);
    const { status } = await assertRejects(() => readBody(request, config, taken), Problem);
    assertEquals([status, taken.bodies.total, taken.expected()], [wanted, 0, 0]);
  }

  const full = { ...memory(3), bodies: new Quota(100_000) };
  full.bodies.take("b", 1);
  const { status } = await assertRejects(
    () => readBody(request(parts(15, 10_000)), CONFIG, full),
    Problem,
  );
  assertEquals([status, full.bodies.total, full.expected()], [503, 1, 0]);

  const ended = memory(3);
  using read = await readBody(request(parts(15, 10_000)), CONFIG, ended);
  assertEquals([read.bytes.length, ended.expected()], [150_000, 0], "the work is known then");
});

Deno.test("A request counts what its body becomes: raw bytes become numbers of four bytes", async () => {
  for (
    const [type, bytesPerByte] of [["application/octet-stream", 5], ["application/json", 2], ["image/png", 1]]
  ) {
    const config = { ...readConfig(), maxBodyBytes: 100_000 };
    const app = createApp({ load: () => loadModel(tinyModel()), report: () => {}, config });
    const post = (next: Parameters<typeof request>[0]): Promise<Response> => {
      const headers = { "content-type": `${type}`, "content-length": "90000" };
      return Promise.resolve(app.fetch(new Request("http://a/v1/classify", request(next, headers))));
    };
    const arrived = Promise.withResolvers<void>(), end = Promise.withResolvers<undefined>();
    const next = parts(1, 10_000);
    const first = post(() => {
      const part = next();
      if (!part) arrived.resolve();
      return part ?? end.promise;
    });
    await arrived.promise;
    const second = await post(parts(9, 10_000));
    assertEquals(second.status, 503);
    assertStringIncludes(
      await second.text(),
      `${90_000 * Number(bytesPerByte)} bytes of requests are in memory`,
    );
    end.resolve(undefined);
    await (await first).body?.cancel();
  }
});

Deno.test("A request frees its body before the model runs, and the model's input afterwards", async () => {
  const inputs: Float32Array[] = [], buffers: number[] = [];
  const app = createApp({
    load: async () => {
      const classifier = await loadModel(tinyModel());
      const run = classifier.runScaled.bind(classifier);
      classifier.runScaled = (pixels): ReturnType<typeof run> => {
        inputs.push(pixels);
        buffers.push(Deno.memoryUsage().external);
        return run(pixels);
      };
      return classifier;
    },
    report: () => {},
  });
  const json = new TextEncoder().encode('{"pixels": [0, 255, 0, 9, 255, 0]}');
  /** Writes spaces and the JSON into the reader's own buffer, so that the test leaves nothing to the collector. */
  const padded = (padding: number): ReadableStream =>
    new ReadableStream({
      type: "bytes",
      pull(controller): void {
        const request = controller.byobRequest!;
        const view = new Uint8Array(request.view!.buffer, request.view!.byteOffset, request.view!.byteLength);
        const count = Math.min(view.length, padding || json.length);
        if (padding > 0) {
          view.fill(0x20, 0, count);
          padding -= count;
        } else view.set(json);
        request.respond(count);
      },
    });
  const post = async (padding: number): Promise<void> => {
    const headers = {
      "content-type": "application/json",
      "content-length": `${padding + json.length}`,
    };
    const init = { method: "POST", headers, body: padded(padding) };
    const response = await app.fetch(new Request("http://a/v1/classify", init));
    assertEquals(response.status, 200);
    assertEquals((inputs.at(-1)!.buffer as ArrayBuffer).detached, true);
  };
  await post(100_000);
  const before = Deno.memoryUsage().external;
  await post(4_000_000);
  assertLess(buffers.at(-1)! - before, 2e6);
});
