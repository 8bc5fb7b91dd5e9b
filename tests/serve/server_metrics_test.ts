import { assertEquals, assertStringIncludes } from "@std/assert";
import { describeModel, type ModelDescription } from "../../shared/contract.ts";
import { tinyModel } from "../helpers/tiny_model.ts";
import { createApp } from "../../serve/app.ts";
import { createLog } from "../../serve/log.ts";
import { Registry } from "../../serve/metrics.ts";
import { traceIdOf } from "../../serve/open_telemetry.ts";
import { Predictions } from "../../serve/predictions.ts";

Deno.test("Registry writes counters, histograms and gauges as Prometheus reads them", () => {
  const registry = new Registry();
  const requests = registry.counter("requests", { unit: "{request}", help: "Requests" });
  const seconds = registry.histogram("stage.duration", [0.1, 1], { unit: "s", help: "Times" });
  registry.gauge("ready", { help: "Whether" }, () => [[{}, 1]]);
  requests.add({ "http.route": "/a", status: 200 });
  requests.add({ "http.route": "/a", status: 200 }, 2);
  requests.add({ "http.route": "/b" });
  for (const value of [0.1, 0.5, 2]) seconds.observe({ stage: "x" }, value);
  assertEquals(
    String(registry),
    `# HELP requests_total Requests
# TYPE requests_total counter
requests_total{http_route="/a",status="200"} 3
requests_total{http_route="/b"} 1
# HELP stage_duration_seconds Times
# TYPE stage_duration_seconds histogram
stage_duration_seconds_bucket{stage="x",le="0.1"} 1
stage_duration_seconds_bucket{stage="x",le="1.0"} 2
stage_duration_seconds_bucket{stage="x",le="+Inf"} 3
stage_duration_seconds_sum{stage="x"} 2.6
stage_duration_seconds_count{stage="x"} 3
# HELP ready Whether
# TYPE ready gauge
ready 1
`,
  );
});

Deno.test("Registry escapes the values of labels", () => {
  const registry = new Registry();
  registry.counter("a", { help: "A" }).add({ b: 'quote " backslash \\ line\nend' });
  assertEquals(String(registry).split("\n")[2], 'a_total{b="quote \\" backslash \\\\ line\\nend"} 1');
});

function describe(version: string, classes: number): ModelDescription {
  return {
    name: "many",
    version,
    labels: Array.from({ length: classes }, (_, i) => `class ${i}`),
    input: { channels: 1, height: 1, width: 1 },
    provenance: {},
  };
}

Deno.test("Predictions bounds the number of classes and of model versions that have series", () => {
  const registry = new Registry();
  const predictions = new Predictions(registry);
  const probabilities = new Float32Array(3 * 500);
  for (const [image, best] of [7, 100, 499].entries()) probabilities[image * 500 + best] = 0.9;
  const version = predictions.of(describe("0", 500));
  version.count({ probabilities, logits: probabilities });
  const lines = String(registry).split("\n");
  assertEquals(lines.filter((line) => line.startsWith("selvedge_predictions_total{")).length, 101);
  const count = (name: string): string | undefined =>
    lines.find((line) => line.includes(`selvedge_class="${name}"`))?.split(" ").at(-1);
  assertEquals([count("class 7"), count("class 8"), count("other")], ["1", "0", "2"]);
  for (let i = 1; i < 100; i++) predictions.of(describe(`${i}`, 500));
  const versions = new Set(String(registry).match(/selvedge_model_version="[0-9]+"/g));
  assertEquals([...versions], Array.from({ length: 32 }, (_, i) => `selvedge_model_version="${68 + i}"`));
});

Deno.test("Predictions counts unfamiliar images, and shows the validation images of the model's file once", async () => {
  const registry = new Registry();
  const predictions = new Predictions(registry);
  const file = tinyModel({ familiarity: true });
  const [first, again] = [await describeModel(file), await describeModel(file)];
  const { threshold } = first.familiarity!;
  const familiarity = Float32Array.of(0, threshold / 2, threshold, 1);
  const probabilities = Float32Array.from({ length: 12 }, (_, i) => i % 3 === 1 ? 0.8 : 0.1);
  predictions.of(first).count({ probabilities, logits: probabilities, familiarity });
  // As after a model was unloaded and loaded again.
  predictions.of(again).count({ probabilities, logits: probabilities, familiarity });
  const lines = String(registry).split("\n");
  const value = (start: string): number =>
    Number(lines.find((line) => line.startsWith(start))?.split(" ").at(-1));
  const model = `{selvedge_model_name="columns",selvedge_model_version="${first.version}"`;
  assertEquals(value(`selvedge_unfamiliar_total${model}}`), 4);
  assertEquals(value(`selvedge_prediction_familiarity_count${model}}`), 8);
  assertEquals(value(`selvedge_predictions_total${model},selvedge_class="middle"}`), 8);
  assertEquals(value(`selvedge_prediction_confidence_bucket${model},le="0.75"}`), 0);
  assertEquals(value(`selvedge_prediction_confidence_bucket${model},le="0.85"}`), 8);
  const reference = first.reference!;
  const below = (counts: number[], bins: number): number => counts.slice(0, bins).reduce((a, b) => a + b);
  for (const name of ["confidence", "familiarity"] as const) {
    const series = `selvedge_reference_${name}`;
    assertEquals(value(`${series}_count${model}}`), reference.images);
    for (const bins of [1, 7, 13, 19]) {
      assertEquals(
        value(`${series}_bucket${model},le="${bins / 20}"}`),
        below(reference[name]!, bins),
        `${bins}`,
      );
    }
  }
  for (const [i, label] of first.labels.entries()) {
    assertEquals(
      value(`selvedge_reference_predictions_total${model},selvedge_class="${label}"}`),
      reference.classes[i],
    );
  }
});

Deno.test("traceIdOf() reads valid headers only", () => {
  const trace = "0af7651916cd43dd8448eb211c80319c", parent = "b7ad6b7169203331";
  assertEquals(traceIdOf(`00-${trace}-${parent}-01`), trace);
  assertEquals(traceIdOf(`01-${trace}-${parent}-01-more`), trace);
  for (
    const wrong of [
      null,
      "",
      trace,
      `ff-${trace}-${parent}-01`,
      `00-${"0".repeat(32)}-${parent}-01`,
      `00-${trace}-${"0".repeat(16)}-01`,
      `00-${trace.toUpperCase()}-${parent}-01`,
      `00-${trace}-${parent}-01x`,
    ]
  ) assertEquals(traceIdOf(wrong), undefined, `${wrong}`);
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
  assertEquals(lines.map((line) => JSON.parse(line)["http.request.method"]), recorded);
  assertEquals(points.map(({ blobs }) => blobs[1]), recorded);
  const metrics = await (await app.request("/metrics")).text();
  const series = "http_server_request_duration_seconds_count";
  assertStringIncludes(metrics, `${series}{http_request_method="_OTHER",http_response_status_code="405"} 3`);
});

Deno.test("Metrics are compressed for clients that accept gzip", async () => {
  const app = createApp({ load: () => Promise.reject(new Error("not needed")), report: () => {} });
  const plain = await app.request("/metrics");
  const packed = await app.request("/metrics", { headers: { "accept-encoding": "gzip" } });
  assertEquals([plain, packed].map(({ headers }) => [headers.get("content-encoding"), headers.get("vary")]), [
    [null, "Accept-Encoding"],
    ["gzip", "Accept-Encoding"],
  ]);
  const text = await new Response(packed.body!.pipeThrough(new DecompressionStream("gzip"))).text();
  assertStringIncludes(text, 'http_route="/metrics"');
  assertStringIncludes(await plain.text(), "# TYPE http_server_request_duration_seconds histogram");
});

Deno.test("The series of a route start at 0 with the statuses that it answers with", async () => {
  const app = createApp({ load: () => Promise.reject(new Error("not needed")), report: () => {} });
  const metrics = await (await app.request("/metrics")).text();
  const statusesOf = (route: string): string[] =>
    [...metrics.matchAll(/_count\{http_request_method="POST",http_route="([^"]+)".*="(\d+)"\} 0/g)]
      .filter(([, path]) => path === route).map(([, , status]) => status!);
  assertEquals(statusesOf("/v1/classify"), ["200", "500", "503"]);
  assertEquals(statusesOf("/v1/feedback"), ["201", "500", "503"]);
});
