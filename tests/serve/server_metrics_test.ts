import { assertEquals } from "@std/assert";
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
