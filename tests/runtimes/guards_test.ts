import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { tinyModel } from "../helpers/tiny_model.ts";
import { MAIN, start } from "./deno_server.ts";
import { ACCESS, LIMITS, METRICS, RATE, runSuite, SHOWS, type Suite, WRONG_MODEL } from "./guards.ts";
import { startWorkerd } from "./workerd_server.ts";

const SUITES: Record<string, Suite> = {
  shows: SHOWS,
  limits: LIMITS,
  access: ACCESS,
  rate: RATE,
  "wrong-model": WRONG_MODEL,
};

for (const [name, suite] of Object.entries(SUITES)) {
  Deno.test(`serve/main.ts withstands and shows: ${name}`, async (t) => {
    await using server = await start([...MAIN, "--port=0"], suite.variables);
    await runSuite(t, suite, (path, init) => fetch(`${server.url}${path}`, init));
    if (suite === WRONG_MODEL) {
      const lines = server.output().split("\n").filter((line) => line.startsWith("{"));
      assertLog(lines.map((line) => JSON.parse(line)));
    }
  });
}

Deno.test("serve/main.ts limits clients by the address that the proxy added", async () => {
  await using server = await start([...MAIN, "--port=0"], {
    RATE_LIMIT_PER_MINUTE: "3",
    CLIENT_ADDRESS_HEADER: "X-Forwarded-For",
  });
  const status = async (forwarded: string): Promise<number> => {
    const response = await fetch(`${server.url}/v1/model`, { headers: { "x-forwarded-for": forwarded } });
    await response.body?.cancel();
    return response.status;
  };
  const forged = [1, 2, 3, 4].map((n) => `203.0.113.${n}, 192.0.2.1`);
  assertEquals(await Promise.all(forged.map(status)).then((all) => all.sort()), [200, 200, 200, 429]);
  assertEquals(await status("203.0.113.1, 192.0.2.2"), 200, "another client");
});

Deno.test("serve/main.ts counts what it does", async (t) => {
  await using server = await start([...MAIN, "--port=0"]);
  await runSuite(t, METRICS, (path, init) => fetch(`${server.url}${path}`, init));
});

Deno.test("workerd withstands and shows the same", async (t) => {
  await using server = await startWorkerd({
    ...SUITES,
    bound: {
      bindings: {
        ratelimits: [{ name: "RATE_LIMITER", namespace_id: "1001", simple: { limit: 5, period: 60 } }],
        analytics_engine_datasets: [{ binding: "ANALYTICS", dataset: "selvedge" }],
      },
    },
    mistaken: { variables: { MAX_PIXELS: "many" } },
  });
  const { workers } = server;
  for (const [name, suite] of Object.entries(SUITES)) {
    await t.step(name, async (t) => await runSuite(t, suite, workers[name]!.send));
  }
  await t.step("logs the reason why there is no model", () => assertLog(server.entries()));
  await t.step("asks Cloudflare's rate limiter and writes to Analytics Engine", async (t) => {
    await runSuite(t, RATE, workers["bound"]!.send);
  });
  await t.step("has no /metrics, and says where to look", async () => {
    const response = await workers["shows"]!.send("/metrics");
    assertEquals(response.status, 404);
    assertStringIncludes((await response.json()).detail, "Workers Analytics Engine");
  });
  await t.step("says nothing to clients of what is wrong with a variable", async () => {
    const response = await workers["mistaken"]!.send("/livez");
    assertEquals(response.status, 503);
    assertStringIncludes((await response.json()).detail, "configuration is invalid");
  });
});

/** Of a server with the wrong model. */
function assertLog(entries: Record<string, unknown>[]): void {
  for (const { time } of entries) assert(!Number.isNaN(Date.parse(String(time))));
  const { error } = entries.find(({ level }) => level === "error")!;
  assertStringIncludes(String(error), `Cannot use the model as its SHA-256 must be ${"0".repeat(64)}`);
  const [ready, live] = entries.filter(({ request_id }) => request_id === "known-id");
  assertEquals([ready!["level"], ready!["http.response.status_code"], ready!["error.type"]], [
    "warn",
    503,
    "model",
  ]);
  assertEquals([live!["level"], live!["http.route"], live!["http.request.method"]], [
    "info",
    "/livez",
    "GET",
  ]);
  assert(entries.some(({ message }) => String(message).startsWith("API keys are off")));
}

Deno.test("serve/main.ts is alive with a file that is no model, and ready once it is one", async () => {
  const file = await Deno.makeTempFile({ suffix: ".onnx" });
  await Deno.writeTextFile(file, "no model");
  await using server = await start([...MAIN, "--port=0"], { MODEL: file });
  const status = async (path: string): Promise<number> => {
    const response = await fetch(`${server.url}${path}`);
    await response.body?.cancel();
    return response.status;
  };
  assertEquals([await status("/livez"), await status("/readyz")], [200, 503]);
  await Deno.writeFile(file, tinyModel());
  assertEquals([await status("/readyz"), await status("/v1/model")], [200, 200]);
  assertStringIncludes(server.output(), "Cannot read ONNX file");
  await Deno.remove(file);
});
