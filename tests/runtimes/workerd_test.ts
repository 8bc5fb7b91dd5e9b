import { assertEquals } from "@std/assert";
import { get, type IncomingMessage } from "node:http";
import { json } from "node:stream/consumers";
import { createTestHarness } from "wrangler";
import { contractRequests } from "./contract.ts";
import { requestAll, type Send } from "./requests.ts";

Deno.test("workerd runs the worker", async (t) => {
  // Miniflare would ask Cloudflare where in the world it is; nothing here depends on that.
  Deno.env.set("CLOUDFLARE_CF_FETCH_ENABLED", "false");
  const server = createTestHarness({
    workers: [{ configPath: new URL("../../wrangler.toml", import.meta.url) }],
  });
  try {
    const { url } = await server.listen();
    const send: Send = (path, init) => fetch(new URL(path, url), init);
    await requestAll(t, send);
    for (const [name, request] of Object.entries(contractRequests(5))) {
      await t.step(name, () => request(send));
    }
    await t.step("does not compress the answers of the Open Inference Protocol", async () => {
      // As Triton's asynchronous client asks for them; fetch() inflates, and does not show what it got.
      const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
      const headers = { "accept-encoding": "gzip, deflate" };
      get(new URL("/v2/models/fashion-mnist", url), { headers }, resolve).on("error", reject);
      assertEquals((await json(await promise) as { name: string }).name, "fashion-mnist");
    });
    // No request of the suite is the server's fault, so it has nothing to report.
    const levels = server.getLogs().map(({ message }) => JSON.parse(message).level);
    assertEquals(levels.filter((level) => level === "error"), []);
  } finally {
    await server.close();
  }
});
