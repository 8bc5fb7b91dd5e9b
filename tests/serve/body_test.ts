import { assertEquals, assertLess, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { deflateRawSync } from "node:zlib";
import { Quota } from "../../serve/admission/quota.ts";
import { type BodyMemory, readBody } from "../../serve/middleware/body.ts";
import { SmallChunks } from "../../serve/middleware/small_chunks.ts";
import { Problem } from "../../serve/problem.ts";

const CONFIG = { maxBodyBytes: 200_000, bodyTimeoutMs: 60_000 };

/** A request whose body is made on demand, and how many parts of it were asked for. */
function streamed(
  parts: Uint8Array<ArrayBuffer>[],
  headers: Record<string, string>,
): { request: Request; count: () => number } {
  let count = 0;
  const remaining = parts.values();
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller): void {
      count++;
      const { value, done } = remaining.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
  }, { highWaterMark: 0 });
  return { request: new Request("http://a/", { method: "POST", headers, body }), count: () => count };
}

async function refusal(request: Request, memory: Partial<BodyMemory> = {}): Promise<Problem> {
  const bodies = new Quota(1_000_000);
  return await assertRejects(
    () => readBody(request, CONFIG, { bodies, client: "a", ...memory }),
    Problem,
  );
}

Deno.test("readBody() refuses a large body before it reads it if there is no memory left", async () => {
  const bodies = new Quota(1_000_000);
  bodies.take("b", 900_000);
  const { request, count } = streamed([new Uint8Array(100_000)], { "content-length": "100000" });
  const { status, message } = await refusal(request, { bodies });
  assertEquals(status, 503);
  assertStringIncludes(message, "900000 bytes of requests are in memory");
  assertEquals(count(), 0);
  assertEquals(bodies.total, 900_000);
});

Deno.test("readBody() refuses a large body before it reads it if its client has too much work queued", async () => {
  const work = { hasRoom: (): boolean => false, expect: (): undefined => undefined };
  const { request, count } = streamed([new Uint8Array(100_000)], { "content-length": "100000" });
  const { status, message } = await refusal(request, { work });
  assertEquals(status, 503);
  assertStringIncludes(message, "too much work of this client is queued");
  assertEquals(count(), 0);
});

Deno.test("readBody() counts compressed bytes that inflate to nothing", async () => {
  // The header of gzip, and then empty blocks that are stored.
  const header = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff);
  const blocks = new Uint8Array(50_000).map((_, i) => i % 5 < 3 ? 0 : 0xff);
  const { request } = streamed([header, blocks, blocks, blocks, blocks], { "content-encoding": "gzip" });
  const { status, message } = await refusal(request);
  assertEquals(status, 413);
  assertStringIncludes(message, "at most 200000 bytes");
});

Deno.test("readBody() refuses bodies of too many small chunks, and reads larger ones or fewer", async () => {
  const bytes = crypto.getRandomValues(new Uint8Array(60_000));
  const gzip = await new Response(new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip")))
    .bytes();
  for (const [body, headers] of [[bytes, {}], [gzip, { "content-encoding": "gzip" }]] as const) {
    const inChunks = (size: number): Request => {
      const count = Math.ceil(body.length / size);
      return streamed(Array.from({ length: count }, (_, i) => body.slice(i * size, (i + 1) * size)), headers)
        .request;
    };
    for (const size of [1, 5]) {
      const { status, message, headers } = await refusal(inChunks(size));
      assertEquals([status, new Headers(headers).get("connection")], [400, "close"]);
      assertStringIncludes(message, "more than 8192 chunks must have at least 1024 bytes on average");
    }
    for (const size of [8, 1024, 50_000]) {
      using read = await readBody(inChunks(size), CONFIG, { bodies: new Quota(1_000_000), client: "a" });
      assertEquals(read.bytes.length, bytes.length);
    }
  }
});

Deno.test("SmallChunks allows 8 MiB in pieces of the smallest packets, and not in much smaller ones", () => {
  const addAll = (size: number): void => {
    const chunks = new SmallChunks();
    for (let bytes = 0; bytes < 8 << 20; bytes += size) chunks.add(size);
  };
  for (const size of [512, 536, 1460]) addAll(size);
  for (const size of [256, 500]) assertThrows(() => addAll(size), Problem, "at least 1024 bytes");
});

Deno.test("readBody() stops inflating a body at the limit", async () => {
  // 4 GB in 4 MB: a deflate stream can be continued after its first block.
  const zeros = new Uint8Array(deflateRawSync(new Uint8Array(1 << 24), { finishFlush: 2 }));
  const parts = [Uint8Array.of(0x78, 0x9c), ...Array<typeof zeros>(256).fill(zeros)];
  const { request, count } = streamed(parts, { "content-encoding": "deflate" });
  const config = { ...CONFIG, maxBodyBytes: 8 << 20 };
  const { status } = await assertRejects(
    () => readBody(request, config, { bodies: new Quota(32 << 20), client: "a" }),
    Problem,
  );
  assertEquals(status, 413);
  assertLess(count(), 10);
});
