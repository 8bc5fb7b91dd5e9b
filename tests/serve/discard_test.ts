import { assertEquals, assertGreater } from "@std/assert";
import { discardBody } from "../../serve/discard.ts";

const LIMITS = { maxBytes: 8_000_000, timeoutMs: 60_000 };

/** A request whose body counts what is read of it. */
function upload(length: number): { request: Request; read: () => number; isCancelled: () => boolean } {
  let read = 0, isCancelled = false;
  const body = new ReadableStream({
    type: "bytes",
    pull(controller): void {
      const { view } = controller.byobRequest!;
      const count = Math.min(view!.byteLength, length - read);
      read += count;
      if (count === 0) controller.close();
      controller.byobRequest!.respond(count);
    },
    cancel(): void {
      isCancelled = true;
    },
  });
  const request = new Request("http://a", { method: "POST", body });
  return { request, read: () => read, isCancelled: () => isCancelled };
}

Deno.test("discardBody() reads the rest of a body, whether it was begun or not", async () => {
  const untouched = upload(3_000_000);
  await discardBody(untouched.request, LIMITS);
  assertEquals(untouched.read(), 3_000_000);

  const begun = upload(3_000_000);
  const reader = begun.request.body!.getReader({ mode: "byob" });
  await reader.read(new Uint8Array(70_000));
  reader.releaseLock();
  await discardBody(begun.request, LIMITS);
  assertEquals(begun.read(), 3_000_000);
});

Deno.test("discardBody() leaves a request alone that has no body, or whose body is read elsewhere", async () => {
  await discardBody(new Request("http://a"), LIMITS);
  const { request, read } = upload(3_000_000);
  request.body!.getReader();
  await discardBody(request, LIMITS);
  assertEquals(read(), 0);
  await discardBody(new Request("http://a", { method: "POST", body: new ReadableStream() }), LIMITS);
});

Deno.test("discardBody() stops after the largest body and after the time for one", async () => {
  const endless = upload(Infinity);
  await discardBody(endless.request, LIMITS);
  assertGreater(endless.read(), LIMITS.maxBytes - 1);
  assertEquals(endless.isCancelled(), true);

  const silent = new ReadableStream({ type: "bytes", pull: () => new Promise<void>(() => {}) });
  await discardBody(new Request("http://a", { method: "POST", body: silent }), { ...LIMITS, timeoutMs: 1 });
});

Deno.test("discardBody() has buffers for a limited number of slow bodies", async () => {
  const silent = Array.from({ length: 100 }, () => {
    const stop = Promise.withResolvers<void>();
    const body = new ReadableStream({ type: "bytes", pull: () => stop.promise });
    return { body, stop };
  });
  const discarding = silent.map(({ body }) =>
    discardBody(new Request("http://a", { method: "POST", body }), { ...LIMITS, timeoutMs: 100 })
  );
  const { request, read } = upload(3_000_000);
  await discardBody(request, LIMITS);
  assertEquals(read(), 0, "it is left to Deno");
  await Promise.all(discarding);
  const later = upload(3_000_000);
  await discardBody(later.request, LIMITS);
  assertEquals(later.read(), 3_000_000);
  for (const { stop } of silent) stop.resolve();
});
