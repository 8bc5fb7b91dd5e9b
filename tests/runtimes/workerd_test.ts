import { assertEquals } from "@std/assert";
import { createTestHarness } from "wrangler";
import { requestAll } from "./requests.ts";

Deno.test("workerd runs the worker", async (t) => {
  // Miniflare would ask Cloudflare where in the world it is; nothing here depends on that.
  Deno.env.set("CLOUDFLARE_CF_FETCH_ENABLED", "false");
  const server = createTestHarness({
    workers: [{ configPath: new URL("../../wrangler.toml", import.meta.url) }],
  });
  try {
    const { url } = await server.listen();
    await requestAll(t, (path, init) => fetch(new URL(path, url), init));
    // No request of the suite is the server's fault, so it has nothing to report.
    const levels = server.getLogs().map(({ message }) => JSON.parse(message).level);
    assertEquals(levels.filter((level) => level === "error"), []);
  } finally {
    await server.close();
  }
});
