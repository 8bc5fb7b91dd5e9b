import { assert, assertEquals, assertGreaterOrEqual, assertLessOrEqual } from "@std/assert";
import { fileURLToPath } from "node:url";
import { traceIdOf } from "../../serve/open_telemetry.ts";
import { PIXELS } from "../helpers/http.ts";
import { attributesOf, receiveOtlp } from "../helpers/otlp_receiver.ts";
import { MAIN, start } from "./deno_server.ts";
import { startWorkerd } from "./workerd_server.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const PARENT = "b7ad6b7169203331";
const TRACEPARENT = `00-${TRACE}-${PARENT}-01`;

/** The entries of a server's log about requests. */
function requestsIn(output: string): Record<string, unknown>[] {
  return output.split("\n").filter((line) => line.startsWith("{")).map((line) => JSON.parse(line))
    .filter(({ message }) => message === "request");
}

for (
  const [name, args] of Object.entries({
    "serve/main.ts": [...MAIN, "--port=0"],
    "deno serve": ["serve", "--allow-net=127.0.0.1", "--host=127.0.0.1", "--port=0", "serve/worker.ts"],
  })
) {
  Deno.test(`${name} exports spans by route with their stages, and metrics, as OTLP`, async () => {
    await using receiver = receiveOtlp();
    await using server = await start(args, receiver.variables);
    const body = new Uint8Array([...PIXELS, ...PIXELS]);
    const classified = await fetch(`${server.url}/v1/classify`, {
      method: "POST",
      headers: { "content-type": "application/octet-stream", traceparent: TRACEPARENT },
      body,
    });
    assertEquals(classified.status, 200);
    await classified.body?.cancel();
    const unknown = await fetch(`${server.url}/no-such-path`);
    await unknown.body?.cancel();
    // It exports what is left when it ends.
    await server.stop(name === "deno serve" ? "SIGINT" : "SIGTERM");

    const request = receiver.spans.find(({ parentSpanId }) => parentSpanId === PARENT);
    assert(request, `no span under the client's in ${JSON.stringify(receiver.spans)}`);
    assertEquals([request.traceId, request.name], [TRACE, "POST /v1/classify"]);
    const { "http.route": route, "selvedge.images": images, "http.response.status_code": status } =
      attributesOf(
        request,
      );
    assertEquals([route, Number(images), status], ["/v1/classify", 2, "200"]);
    const stages = receiver.spans.filter(({ parentSpanId }) => parentSpanId === request.spanId);
    assertEquals(stages.map(({ name }) => name), ["decode", "queue", "inference"]);
    // The clocks of Deno and of the stages agree to a few ms.
    const slack = 5_000_000n;
    for (const { startTimeUnixNano, endTimeUnixNano } of stages) {
      assertGreaterOrEqual(BigInt(startTimeUnixNano), BigInt(request.startTimeUnixNano) - slack);
      assertLessOrEqual(BigInt(endTimeUnixNano), BigInt(request.endTimeUnixNano) + slack);
      assertLessOrEqual(BigInt(startTimeUnixNano), BigInt(endTimeUnixNano));
    }
    // One after the other, but for the precision of the times.
    for (const [i, { startTimeUnixNano }] of stages.slice(1).entries()) {
      assertGreaterOrEqual(BigInt(startTimeUnixNano), BigInt(stages[i]!.endTimeUnixNano) - 10_000n);
    }
    const missing = receiver.spans.find((span) => attributesOf(span)["http.response.status_code"] === "404")!;
    assertEquals(missing.name, "GET", "a path that the client invented is no name");
    assertEquals(attributesOf(missing)["http.route"], undefined);

    const logged = requestsIn(server.output());
    assertEquals(logged.map(({ trace_id }) => trace_id), [TRACE, missing.traceId]);
    assertEquals(logged.map((entry) => entry["http.route"]), ["/v1/classify", undefined]);

    const { metrics } = receiver;
    const points = (name: string): Record<string, unknown>[] => {
      const { histogram, sum, gauge } = metrics.get(name) ?? {};
      return (histogram ?? sum ?? gauge)?.dataPoints.map((point) => ({ ...point, ...attributesOf(point) })) ??
        [];
    };
    const routes = points("http.server.request.duration").map((
      point,
    ) => [point["http.route"], point["count"]]);
    assert(
      routes.some(([route, count]) => route === "/v1/classify" && count === "1"),
      JSON.stringify(routes),
    );
    assertEquals(points("selvedge.images").map(({ asInt, asDouble }) => Number(asInt ?? asDouble)), [2]);
    assertEquals(metrics.get("selvedge.images")!.sum!.isMonotonic, true);
    const durations = points("selvedge.stage.duration");
    assertEquals(durations.map((point) => point["selvedge.stage"]).sort(), ["decode", "inference", "queue"]);
    assertEquals(durations.map(({ count }) => count), ["1", "1", "1"]);
    const [confidence] = metrics.get("selvedge.prediction.confidence")!.histogram!.dataPoints;
    assertEquals([confidence!.count, confidence!.explicitBounds!.length], ["2", 20]);
    assertEquals(attributesOf(confidence!)["selvedge.model.name"], "fashion-mnist");
  });
}

Deno.test("traceIdOf() reads the header as W3C's Trace Context defines it", () => {
  const valid = [TRACEPARENT, `${TRACEPARENT.slice(0, -2)}00`, `cc${TRACEPARENT.slice(2)}-what-comes-later`];
  for (const header of valid) assertEquals(traceIdOf(header), TRACE, header);
  const invalid = [
    null,
    "",
    `ff${TRACEPARENT.slice(2)}`,
    `00-${"0".repeat(32)}-${PARENT}-01`,
    `00-${TRACE}-${"0".repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${PARENT}-01`,
    `00-${TRACE}-${PARENT}-01x`,
    `00-${TRACE}-${PARENT}`,
  ];
  for (const header of invalid) assertEquals(traceIdOf(header), undefined, String(header));
});

Deno.test("The log names the client's trace where nothing is exported", async () => {
  await using server = await start([...MAIN, "--port=0"]);
  for (const traceparent of [TRACEPARENT, "00-invalid"]) {
    const response = await fetch(`${server.url}/livez`, { headers: { traceparent } });
    await response.body?.cancel();
  }
  await server.stop("SIGTERM");
  assertEquals(requestsIn(server.output()).map(({ trace_id }) => trace_id), [TRACE, undefined]);
});

Deno.test("workerd traces requests by route, under the trace that the log names", async () => {
  const main = fileURLToPath(new URL("../helpers/tail_worker.js", import.meta.url));
  await using server = await startWorkerd({
    traced: { bindings: { streaming_tail_consumers: [{ service: "tail" }] } },
    tail: { bindings: { main, compatibility_flags: ["streaming_tail_worker", "experimental"] } },
  });
  const response = await server.workers["traced"]!.send("/v1/classify", {
    method: "POST",
    headers: { "content-type": "application/octet-stream" },
    body: PIXELS,
  });
  assertEquals(response.status, 200);
  await response.body?.cancel();
  const classification = (): Record<string, unknown> | undefined =>
    server.entries().find((entry) => entry["http.route"] === "/v1/classify");
  const traced = (): Record<string, unknown>[] =>
    server.entries().filter(({ message, trace_id }) =>
      message === "traced" && trace_id === classification()?.["trace_id"]
    );
  // The tail receives events after the response.
  const end = performance.now() + 60_000;
  while (traced().length < 3 && performance.now() < end) {
    await (await server.workers["traced"]!.send("/livez")).body?.cancel();
  }
  assertEquals(traced().map(({ info }) => info), [
    { type: "name", name: "POST /v1/classify" },
    [{ name: "http.route", value: "/v1/classify" }],
    [{ name: "selvedge.images", value: 1 }],
  ]);
});
