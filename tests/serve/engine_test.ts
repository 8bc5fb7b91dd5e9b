import { assert, assertAlmostEquals, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { type Answer, Engine } from "../../serve/engine.ts";
import { Problem } from "../../serve/problem.ts";
import { turn } from "../../serve/turn.ts";
import { loadModel } from "../../serve/model.ts";
import { Classifier } from "../../shared/inference/classifier.ts";
import { readOnnx } from "../../shared/onnx/read.ts";
import { writeOnnx } from "../../shared/onnx/write.ts";
import { tinyModel } from "../helpers/tiny_model.ts";

const MODEL = tinyModel();
const LIMITS = { maxConcurrency: 256, queueTimeoutMs: 60_000 };

/** Pixels of `count` images of which the label is `column`. */
function images(column: number, count = 1): Float32Array {
  return Float32Array.from({ length: count * 6 }, (_, i) => i % 3 === column ? 1 : 0);
}

function best(row: Float32Array): number {
  return row.indexOf(Math.max(...row));
}

/** An engine that notes the number of images of each run. */
function engine(config = LIMITS): { engine: Engine; runs: number[] } {
  const runs: number[] = [];
  const load = (): Promise<Classifier> => Classifier.load(MODEL);
  return { engine: new Engine({ load, config, onRun: (images) => runs.push(images) }), runs };
}

Deno.test("Engine.run() runs a single request at once and by itself", async () => {
  const { engine: one, runs } = engine();
  const { scores, queueMs, inferMs } = await one.run(images(1));
  assertEquals(best(scores.probabilities), 1);
  assertEquals(scores.logits, Float32Array.of(0, 2, 0));
  assert(queueMs >= 0 && inferMs >= 0);
  assertEquals(runs, [1]);
});

Deno.test("Engine.run() batches pending requests and separates their results", async () => {
  const { engine: many, runs } = engine();
  await many.run(images(0));
  const columns = Array.from({ length: 20 }, (_, i) => i % 3);
  const answers = await Promise.all(columns.map((column) => many.run(images(column, 1 + column))));
  for (const [i, { scores }] of answers.entries()) {
    assertEquals(scores.probabilities.length, 3 * (1 + columns[i]!));
    for (let at = 0; at < scores.probabilities.length; at += 3) {
      assertEquals(best(scores.probabilities.subarray(at, at + 3)), columns[i]);
    }
  }
  assertEquals(runs.reduce((sum, images) => sum + images), 1 + answers.length * 2 - 1);
  assert(runs.length < 6, `20 requests took ${runs.length} runs`);
  assert(runs.every((images) => images <= 32), `runs of ${runs}`);
});

Deno.test("Engine.run() batches requests of one turn of the event loop, however long the last run is ago", async () => {
  let now = 0;
  const runs: number[] = [];
  const slow = new Engine({
    load: () => Classifier.load(MODEL),
    config: LIMITS,
    onRun: (images) => runs.push(images),
    now: () => now,
  });
  await Promise.all([slow.run(images(0)), slow.run(images(1))]);
  now += 1000;
  const later = turn().then(() => slow.run(images(2)));
  const answers = await Promise.all([slow.run(images(1)), later]);
  assertEquals(answers.map(({ scores }) => best(scores.probabilities)), [1, 2]);
  assertEquals(runs.at(-1), 2);
});

Deno.test("Engine.run() runs large requests in parts of their own", async () => {
  const { engine: large, runs } = engine();
  const answers = await Promise.all([
    large.run(images(2, 100)),
    large.run(images(1)),
    large.run(images(0, 40)),
  ]);
  assertEquals(answers.map(({ scores }) => scores.probabilities.length / 3), [100, 1, 40]);
  assertEquals(runs.reduce((sum, images) => sum + images), 141);
  assert(runs.every((images) => images <= 8), `runs of ${runs}`);
});

Deno.test("Engine.run() lets a small request pass large ones, of its own client and of others", async () => {
  const { engine: shared, runs } = engine();
  await shared.run(images(0));
  const order: string[] = [];
  const run = async (name: string, count: number, client: string): Promise<void> => {
    const { scores } = await shared.run(images(1, count), client);
    assertEquals(scores.probabilities.length, 3 * count);
    order.push(name);
  };
  await Promise.all([
    ...Array.from({ length: 8 }, (_, i) => run(`large ${i}`, 100, "one")),
    run("small of one", 1, "one"),
    run("small of another", 1, "another"),
  ]);
  assertEquals(order.slice(0, 2).sort(), ["small of another", "small of one"]);
  assertEquals(order.slice(2), Array.from({ length: 8 }, (_, i) => `large ${i}`));
  assert(runs.every((images) => images <= 8), `runs of ${runs}`);
});

Deno.test("Engine.run() recovers after all queued requests have waited too long", async () => {
  let now = 0;
  const late = new Engine({
    load: () => Classifier.load(MODEL),
    config: { maxConcurrency: 256, queueTimeoutMs: 100 },
    now: () => now,
  });
  await Promise.all([late.run(images(0)), late.run(images(0))]);
  // It waits for others first, as these had company, and the clock goes on meanwhile.
  const waiting = late.run(images(1));
  now += 1000;
  assertEquals((await assertRejects(() => waiting, Problem)).reason, "queue_timeout");
  assertEquals(best((await late.run(images(2))).scores.probabilities), 2);
});

Deno.test("Engine.run() queues large requests after a run of one image took long", async () => {
  let now = 0, runMs = 3;
  const steady = new Engine({
    load: () => Classifier.load(MODEL),
    config: { ...LIMITS, queueTimeoutMs: 5000 },
    onRun: () => now += runMs,
    now: () => now,
  });
  for (let i = 0; i < 20; i++) await steady.run(images(0, 32));
  // The process was interrupted.
  runMs = 1000;
  await steady.run(images(0));
  runMs = 3;
  await Promise.all(Array.from({ length: 4 }, () => steady.run(images(0, 256), "one")));
});

Deno.test("Engine.run() stops a large request whose client has disconnected", async () => {
  const { engine: one, runs } = engine();
  await one.run(images(0));
  const error = await assertRejects(() => one.run(images(0, 100), "a", () => runs.length > 1), Problem);
  assertEquals([error.reason, runs], ["disconnected", [1, 8]]);
  assertEquals(best((await one.run(images(2))).scores.probabilities), 2);
});

Deno.test("Engine.run() refuses pixels that are no whole number of images", async () => {
  for (const length of [0, 5, 7]) {
    await assertRejects(
      () => engine().engine.run(new Float32Array(length)),
      RangeError,
      `a positive multiple of 6: current length is ${length}`,
    );
  }
});

Deno.test("Engine.run() refuses requests beyond its queue, and recovers", async () => {
  const { engine: small } = engine({ ...LIMITS, maxConcurrency: 6 });
  await small.run(images(0));
  const results = await Promise.allSettled([
    ...Array.from({ length: 8 }, () => small.run(images(1), "one")),
    small.run(images(1), "other"),
  ]);
  const refused = results.filter((result) => result.status === "rejected");
  assertEquals(refused.length, 5, "a client may use half of the queue");
  assertEquals(results.at(-1)!.status, "fulfilled", "and another finds room");
  for (const { reason } of refused) {
    assert(reason instanceof Problem);
    assertEquals([reason.status, reason.reason], [503, "queue_full"]);
    assertEquals(reason.headers["retry-after"], "1");
  }
  assertEquals(best((await small.run(images(2))).scores.probabilities), 2);
});

Deno.test("Engine.run() fails requests that wait longer than the queue timeout, and no others", async () => {
  let now = 0;
  const late = new Engine({
    load: () => Classifier.load(MODEL),
    config: { maxConcurrency: 256, queueTimeoutMs: 100 },
    now: () => now,
  });
  await late.run(images(0));
  for (const [waited, status] of [[100, "fulfilled"], [101, "rejected"]] as const) {
    now += 1000;
    // The first runs at once, and the others wait for it.
    const results = [late.run(images(0)), late.run(images(1)), late.run(images(1))];
    now += waited;
    const [first, ...others] = await Promise.allSettled(results);
    assertEquals(first!.status, "fulfilled");
    for (const other of others) {
      assertEquals(other.status, status);
      if (other.status === "fulfilled") continue;
      assertEquals([other.reason.status, other.reason.reason], [503, "queue_timeout"]);
    }
  }
});

Deno.test("Engine.ready() reports why the model is not ready, and tries again", async () => {
  const reports: unknown[] = [];
  let attempts = 0;
  const flaky = new Engine({
    load: () => ++attempts < 3 ? Promise.reject(new Error("not yet")) : Classifier.load(MODEL),
    config: LIMITS,
    report: (error) => reports.push(error),
  });
  for (let i = 0; i < 2; i++) {
    assertEquals(await flaky.ready(), { ready: false, reason: "The model cannot be loaded" });
  }
  assertEquals(reports.map(String), ["Error: not yet", "Error: not yet"]);
  assertEquals(await flaky.ready(), { ready: true });
  await flaky.run(images(0));
  assertEquals(attempts, 3);
});

Deno.test("Engine is not ready with a model that gives unsound scores", async () => {
  const real = await Classifier.load(MODEL);
  const broken = async (change: (scores: Answer["scores"]) => void): Promise<string> => {
    const reports: unknown[] = [];
    const classifier = Object.create(real, {
      close: { value: () => Promise.resolve() },
      runScaled: {
        value: async (pixels: Float32Array) => {
          const scores = await real.runScaled(pixels);
          change(scores);
          return scores;
        },
      },
    });
    const one = new Engine({
      load: () => Promise.resolve(classifier),
      config: LIMITS,
      report: (error) => reports.push(error),
    });
    assertEquals((await one.ready()).ready, false);
    return String(reports[0]);
  };
  assertStringIncludes(await broken(({ logits }) => logits[3] = NaN), "its logits must be finite");
  assertStringIncludes(
    await broken((scores) => scores.probabilities = new Float32Array(3)),
    "6 probabilities",
  );
});

Deno.test("loadModel() refuses a model with the reason", async () => {
  const changed = (change: (model: ReturnType<typeof readOnnx>) => void): Uint8Array<ArrayBuffer> => {
    const model = readOnnx(MODEL);
    change(model);
    return writeOnnx(model);
  };
  const cases: [Uint8Array<ArrayBuffer>, Parameters<typeof loadModel>[1], string][] = [
    [MODEL, { sha256: "a".repeat(64) }, `its SHA-256 must be ${"a".repeat(64)}: current value is `],
    [new Uint8Array(9), {}, "Cannot read ONNX file"],
    [changed(({ initializers }) => initializers[0]!.data[4] = NaN), {}, "[4] is NaN"],
    [changed(({ initializers }) => initializers[0]!.data[0] = Infinity), {}, "its weights must be in"],
    [
      changed(({ initializers }) => initializers[0]!.data[0] = -3e38),
      {},
      "its weights must be in -1e19..1e19",
    ],
    ...['["a","b","a"]', '["a","b","a "]', '["a","b",""]', "[]", '["a","b",3]'].map((
      labels,
    ): typeof cases[0] => [
      changed(({ metadata }) => metadata.set("selvedge.labels", labels)),
      {},
      `array of class names, none of them empty or used twice: current value is ${labels}`,
    ]),
    ...["", "a/b", "a?b", "..", "stats", "a".repeat(129)].map((name): typeof cases[0] => [
      changed((model) => model.name = name),
      {},
      `current value is ${JSON.stringify(name)}`,
    ]),
    [changed(({ metadata }) => metadata.delete("selvedge.labels")), {}, 'its metadata "selvedge.labels"'],
    [changed(({ nodes }) => nodes[0]!.op = "NoSuchOperator"), {}, "ONNX Runtime refuses it"],
    [changed(({ initializers }) => initializers[0]!.dims = [2, 9]), {}, "ONNX Runtime refuses it"],
    [changed(({ inputs }) => inputs[0]!.shape = ["N", 7]), {}, 'an input "image" of shape [N, C, H, W]'],
  ];
  for (const [bytes, options, message] of cases) {
    const error = await assertRejects(() => loadModel(bytes, options), Error, message);
    assertStringIncludes(error.message, "Cannot ");
  }
});

Deno.test("loadModel() loads a model whose hash is as expected", async () => {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", MODEL)).toHex();
  const classifier = await loadModel(MODEL, { sha256: digest });
  const { probabilities } = await classifier.runScaled(images(2));
  assertAlmostEquals(probabilities[2]!, Math.E ** 2 / (Math.E ** 2 + 2), 1e-6);
});
