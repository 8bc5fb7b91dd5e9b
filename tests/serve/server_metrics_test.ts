import { assertEquals, assertStringIncludes } from "@std/assert";
import { createApp } from "../../serve/app.ts";
import { createLog } from "../../serve/log.ts";
import { Registry } from "../../serve/metrics.ts";

Deno.test("Registry writes counters, histograms and gauges as Prometheus reads them", () => {
  const registry = new Registry();
  const requests = registry.counter("requests_total", "Requests");
  const seconds = registry.histogram("seconds", "Times", [0.1, 1]);
  registry.gauge("ready", "Whether", () => [[{}, 1]]);
  requests.add({ route: "/a", status: 200 });
  requests.add({ route: "/a", status: 200 }, 2);
  requests.add({ route: "/b" });
  for (const value of [0.1, 0.5, 2]) seconds.observe({ stage: "x" }, value);
  assertEquals(
    String(registry),
    `# HELP requests_total Requests
# TYPE requests_total counter
requests_total{route="/a",status="200"} 3
requests_total{route="/b"} 1
# HELP seconds Times
# TYPE seconds histogram
seconds_bucket{stage="x",le="0.1"} 1
seconds_bucket{stage="x",le="1"} 2
seconds_bucket{stage="x",le="+Inf"} 3
seconds_sum{stage="x"} 2.6
seconds_count{stage="x"} 3
# HELP ready Whether
# TYPE ready gauge
ready 1
`,
  );
});

Deno.test("Registry escapes the values of labels", () => {
  const registry = new Registry();
  registry.counter("a", "A").add({ b: 'quote " backslash \\ line\nend' });
  assertEquals(String(registry).split("\n")[2], 'a{b="quote \\" backslash \\\\ line\\nend"} 1');
});

Deno.test("Methods that HTTP does not define share one name in metrics, log and Analytics Engine", async () => {
  const lines: string[] = [];
  const points: { blobs: string[] }[] = [];
  const app = createApp({
    load: () => Promise.reject(new Error("not needed")),
    report: () => {},
    log: createLog("info", (line) => lines.push(line)),
  });
  const analytics = { writeDataPoint: (point: { blobs: string[] }): number => points.push(point) };
  for (const method of ["BREW", "x".repeat(5000), "PROPFIND", "PUT"]) {
    assertEquals((await app.request("/livez", { method }, { analytics })).status, 405);
  }
  const recorded = ["_OTHER", "_OTHER", "_OTHER", "PUT"];
  assertEquals(lines.map((line) => JSON.parse(line).method), recorded);
  assertEquals(points.map(({ blobs }) => blobs[1]), recorded);
  const metrics = await (await app.request("/metrics")).text();
  assertStringIncludes(metrics, 'selvedge_requests_total{route="none",method="_OTHER",status="405"} 3');
});
