import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { fileURLToPath } from "node:url";
import {
  type Prometheus,
  promtool,
  type Series,
  startPrometheus,
  WITHOUT_PROMETHEUS,
} from "../helpers/prometheus.ts";
import { tinyModel } from "../helpers/tiny_model.ts";
import { createApp } from "../../serve/app.ts";
import { Classifier } from "../../shared/inference/classifier.ts";
import { MAIN, start } from "./deno_server.ts";

const MONITORING = new URL("../../docs/monitoring/", import.meta.url);
const RULES = fileURLToPath(new URL("rules.yml", MONITORING));

/** Registers a test that says why it does not run. */
function test(name: string, fn: () => Promise<void>): void {
  Deno.test({
    name: WITHOUT_PROMETHEUS ? `${name} (${WITHOUT_PROMETHEUS})` : name,
    ignore: !!WITHOUT_PROMETHEUS,
    fn,
  });
}

interface Panel {
  id: number;
  type: string;
  title: string;
  gridPos: { x: number; y: number; w: number; h: number };
  targets?: { expr: string; refId: string }[];
}

interface Dashboard {
  uid: string;
  panels: Panel[];
  annotations: { list: { expr: string }[] };
  templating: { list: { name: string }[] };
}

const dashboard: Dashboard = JSON.parse(await Deno.readTextFile(new URL("dashboard.json", MONITORING)));

/** What Grafana puts in for its variables. */
function fillIn(expression: string): string {
  const filled = expression.replaceAll("$__rate_interval", "1h").replaceAll("$__range", "1h").replaceAll(
    "$model",
    ".*",
  );
  assert(!filled.includes("$"), `an unknown variable in ${expression}`);
  return filled;
}

Deno.test("The dashboard has panels that do not overlap, with different ids", () => {
  const { panels, templating } = dashboard;
  assertEquals(new Set(panels.map(({ id }) => id)).size, panels.length);
  assertEquals(templating.list.map(({ name }) => name), ["datasource", "model"]);
  const cells = new Set<string>();
  for (const { title, gridPos: { x, y, w, h }, type, targets } of panels) {
    assert(x + w <= 24, title);
    assertEquals(type === "row", targets === undefined, title);
    for (let i = 0; i < w * h; i++) {
      const cell = `${x + i % w} ${y + Math.floor(i / w)}`;
      assert(!cells.has(cell), `${title} overlaps another panel`);
      cells.add(cell);
    }
  }
});

test("promtool accepts the configuration, the rules, and the metrics of a server", async () => {
  for (const args of [["check", "config", "prometheus.yml"], ["check", "rules", "rules.yml"]]) {
    const { ok, text } = await promtool(args, "", MONITORING);
    assert(ok, text);
  }
  await using served = await serveTiny();
  const { ok, text } = await promtool(["check", "metrics"], await served.metrics());
  assert(ok, text);
});

// Images of 3×2 pixels. The first is familiar to the model, the second is not: see tinyModel().
const GREY = [127, 128, 127, 128, 128, 127];
const BLACK_AND_WHITE = [0, 255, 0, 0, 255, 0];

/** A server with a small model that has the output `familiarity`. */
async function serveTiny(): Promise<
  AsyncDisposable & {
    target: string;
    metrics(): Promise<string>;
    /** Sends some images at a time. */
    send(image: number[], count: number): Promise<void>;
  }
> {
  await using stack = new AsyncDisposableStack();
  const file = await Deno.makeTempFile({ suffix: ".onnx" });
  stack.defer(() => Deno.remove(file));
  await Deno.writeFile(file, tinyModel({ familiarity: true }));
  const server = stack.use(await start([...MAIN, "--port=0"], { MODEL: file, LOG_LEVEL: "error" }));
  const moved = stack.move();
  return {
    target: new URL(server.url).host,
    metrics: async () => await (await fetch(`${server.url}/metrics`)).text(),
    async send(image, count): Promise<void> {
      const body = Uint8Array.from({ length: image.length * count }, (_, i) => image[i % image.length]!);
      const headers = { "content-type": "application/octet-stream" };
      const response = await fetch(`${server.url}/v1/classify`, { method: "POST", headers, body });
      await response.body?.cancel();
      assertEquals(response.status, 200);
    },
    [Symbol.asyncDispose]: () => moved.disposeAsync(),
  };
}

test("Every query of the dashboard and the rules finds what a server shows, and drift is seen", async () => {
  await using served = await serveTiny();
  await using prometheus = await startPrometheus(served.target, RULES);
  // Increases count from the first scrape.
  await prometheus.until("selvedge_ready", (series) => series.length === 1);
  for (let i = 0; i < 3; i++) await served.send(GREY, 100);
  const missing = await fetch(`http://${served.target}/no-such-path`);
  await missing.body?.cancel();

  const unfamiliar = await prometheus.until("selvedge:unfamiliar:ratio1h", (series) => series.length === 1);
  assertEquals(Object.keys(unfamiliar[0]!.metric).sort(), [
    "__name__",
    "selvedge_model_name",
    "selvedge_model_version",
  ]);
  assertEquals(Number(unfamiliar[0]!.value[1]), 0);
  const notFound = 'http_server_request_duration_seconds_count{http_response_status_code="404"}';
  await prometheus.until(notFound, (series) => series.length === 1);
  await assertDashboard(prometheus);

  // The same again, unfamiliar: then half of all.
  for (let i = 0; i < 3; i++) await served.send(BLACK_AND_WHITE, 100);
  const alerts = 'ALERTS{alertname=~"Selvedge(UnfamiliarImages|FamiliarityDrift|ClassDrift)"}';
  const found = await prometheus.until(alerts, (series) => series.length === 3);
  assertEquals(found.map(({ metric }) => metric["alertstate"]), ["pending", "pending", "pending"]);
  const settled = await prometheus.until(
    "selvedge:unfamiliar:ratio1h",
    ([series]) => series !== undefined && Number(series.value[1]) > 0.45,
  );
  assertLess(Number(settled[0]!.value[1]), 0.55);
  const names = await prometheus.get("/api/v1/rules") as {
    groups: { rules: { name: string; lastError?: string }[] }[];
  };
  for (const { name, lastError } of names.groups.flatMap(({ rules }) => rules)) {
    assertEquals(lastError ?? "", "", name);
  }
});

async function assertDashboard(prometheus: Prometheus): Promise<void> {
  let queries = 0;
  for (const { title, targets = [] } of dashboard.panels) {
    for (const { expr } of targets) {
      const shows = (series: Series[]): boolean =>
        series.length > 0 && series.every(({ value }) => Number.isFinite(Number(value[1])));
      await prometheus.until(fillIn(expr), shows).catch((cause) => {
        throw new Error(`"${title}" shows nothing`, { cause });
      });
      queries++;
    }
  }
  assertGreater(queries, 20);
  for (const { expr } of dashboard.annotations.list) await prometheus.query(fillIn(expr));
}

/** A series of promtool's tests, with one value a minute. */
const growing = (name: string, labels: string, perMinute: number): { series: string; values: string } => ({
  series: `${name}{selvedge_model_name="m",selvedge_model_version="1"${labels}}`,
  values: `0+${perMinute}x180`,
});

const constant = (name: string, labels: string, value: number): { series: string; values: string } => ({
  ...growing(name, labels, 0),
  values: `${value}x180`,
});

/** A histogram and its reference, as counts of the buckets that end at 0.5 and 1. */
function histogram(name: string, [low, high]: [number, number], was: [number, number]): unknown[] {
  const buckets = (made: typeof growing, kind: string, first: number, all: number): unknown[] => [
    made(`selvedge_${kind}_${name}_bucket`, ',le="0.5"', first),
    made(`selvedge_${kind}_${name}_bucket`, ',le="1.0"', all),
    made(`selvedge_${kind}_${name}_bucket`, ',le="+Inf"', all),
    made(`selvedge_${kind}_${name}_count`, "", all),
  ];
  return [
    ...buckets(growing, "prediction", low, low + high),
    ...buckets(constant, "reference", was[0], was[0] + was[1]),
  ];
}

/** The alerts that fire some time after the start of the series. */
async function firing(series: unknown[], after: string): Promise<string[]> {
  const names = [...(await Deno.readTextFile(RULES)).matchAll(/alert: (\w+)/g)].map(([, name]) => name!);
  assertEquals(names.length, 9);
  const tests = [{
    interval: "1m",
    input_series: series,
    alert_rule_test: names.map((alertname) => ({ eval_time: after, alertname, exp_alerts: [] })),
  }];
  const file = await Deno.makeTempFile({ suffix: ".yml" });
  await Deno.writeTextFile(file, JSON.stringify({ rule_files: [RULES], evaluation_interval: "1m", tests }));
  const { ok, text } = await promtool(["test", "rules", file]);
  await Deno.remove(file);
  // It names each alert that fires, as none is expected to.
  const fired = [...text.matchAll(/alertname: ?(\w+), time/g)].map(([, name]) => name!);
  assertEquals(ok, fired.length === 0, text);
  return fired;
}

test("Alerts of drift fire for other images only, and not for a handful", async () => {
  interface Minute {
    shoes?: number;
    bags?: number;
    unfamiliar?: number;
    familiarity?: [number, number];
    confidence?: [number, number];
  }
  const images = (
    { shoes = 50, bags = 50, unfamiliar = 5, familiarity = [50, 50], confidence = [20, 80] }: Minute,
  ): unknown[] => [
    growing("selvedge_predictions_total", ',selvedge_class="shoe"', shoes),
    growing("selvedge_predictions_total", ',selvedge_class="bag"', bags),
    constant("selvedge_reference_predictions_total", ',selvedge_class="shoe"', 500),
    constant("selvedge_reference_predictions_total", ',selvedge_class="bag"', 500),
    growing("selvedge_unfamiliar_total", "", unfamiliar),
    ...histogram("familiarity", familiarity, [500, 500]),
    ...histogram("confidence", confidence, [200, 800]),
  ];
  assertEquals(await firing(images({}), "2h30m"), []);
  assertEquals(await firing(images({ unfamiliar: 20 }), "2h30m"), ["SelvedgeUnfamiliarImages"]);
  assertEquals(await firing(images({ unfamiliar: 20 }), "5m"), [], "it must last a quarter of an hour");
  assertEquals(await firing(images({ familiarity: [75, 25] }), "2h30m"), ["SelvedgeFamiliarityDrift"]);
  assertEquals(await firing(images({ confidence: [45, 55] }), "2h30m"), ["SelvedgeConfidenceDrift"]);
  assertEquals(await firing(images({ shoes: 90, bags: 10 }), "2h30m"), ["SelvedgeClassDrift"]);
  // 120 images an hour, all of them as different as can be.
  const few = images({ shoes: 2, bags: 0, unfamiliar: 2, familiarity: [2, 0], confidence: [2, 0] });
  assertEquals(await firing(few, "2h30m"), []);
});

test("Alerts of the server fire when it is down, not ready, failing, busy or slow", async () => {
  const requests = (status: number, perMinute: number): unknown => ({
    series: `http_server_request_duration_seconds_count{http_response_status_code="${status}"}`,
    values: `0+${perMinute}x180`,
  });
  const waits = (short: number): unknown[] =>
    Object.entries({ "0.1": short, "1.0": 100, "+Inf": 100 }).map(([le, count]) => ({
      series: `selvedge_stage_duration_seconds_bucket{selvedge_stage="queue",le="${le}"}`,
      values: `0+${count}x180`,
    }));
  const gauge = (name: string, value: number): unknown => ({
    series: `${name}{job="selvedge",instance="a"}`,
    values: `${value}x180`,
  });
  const well = [
    gauge("up", 1),
    gauge("selvedge_ready", 1),
    requests(200, 1000),
    requests(400, 500),
    ...waits(100),
  ];
  assertEquals(await firing(well, "1h"), []);
  assertEquals(await firing([gauge("up", 0)], "1h"), ["SelvedgeDown"]);
  assertEquals(await firing([gauge("selvedge_ready", 0)], "1h"), ["SelvedgeNotReady"]);
  assertEquals(await firing([requests(200, 1000), requests(500, 5)], "1h"), ["SelvedgeErrors"]);
  assertEquals(await firing([requests(200, 1000), requests(503, 50)], "1h"), ["SelvedgeOverloaded"]);
  assertEquals(await firing(waits(90), "1h"), ["SelvedgeSlow"]);
});

Deno.test("docs/monitoring.md has every metric of a server, with its type and its labels", async () => {
  const app = createApp({ load: () => Classifier.load(tinyModel({ familiarity: true })), report: () => {} });
  for (const body of [Uint8Array.from(GREY), new Uint8Array(5)]) {
    const headers = { "content-type": "application/octet-stream" };
    await (await app.request("/v1/classify", { method: "POST", headers, body })).body?.cancel();
  }
  const text = await (await app.request("/metrics")).text();
  const shown = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => {
    const labels = new Set<string>();
    for (const [, braces] of text.matchAll(new RegExp(`^${name}(?:_count)?\\{([^}]*)\\}`, "gm"))) {
      for (const [, label] of braces!.matchAll(/([a-z_]+)="/g)) labels.add(label!);
    }
    return [name, type, [...labels].map((label) => `\`${label}\``).join(" ")];
  });
  const page = await Deno.readTextFile(new URL("../../docs/monitoring.md", import.meta.url));
  const documented = [...page.matchAll(/^\| `(\w+)` +\| (counter|gauge|histogram) +\| (.*?) +\|/gm)]
    .map(([, ...cells]) => cells);
  assertEquals(documented.toSorted(), shown.toSorted());
});
