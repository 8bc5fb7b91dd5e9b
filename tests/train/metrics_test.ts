import { fileURLToPath } from "node:url";
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { parseMetrics, readMetrics } from "../../train/report/metrics.ts";
import { exampleRun } from "../helpers/example_run.ts";

const shipped = fileURLToPath(new URL("../../shared/artifacts/fashion-mnist/metrics.json", import.meta.url));

Deno.test("parseMetrics() gives back all that a run has written", () => {
  const run = exampleRun();
  assertEquals(parseMetrics(JSON.stringify(run), "metrics.json"), run);
});

Deno.test("parseMetrics() reads files from before there was a calibration", () => {
  const { calibration: _calibration, mistakes: _mistakes, input: _input, command: _command, ...old } =
    exampleRun();
  assertEquals(parseMetrics(JSON.stringify(old), "metrics.json"), old);
});

Deno.test("parseMetrics() passes over fields that it does not know", () => {
  const run = exampleRun();
  assertEquals(parseMetrics(JSON.stringify({ ...run, weather: "fine" }), "metrics.json"), run);
});

Deno.test("readMetrics() reads the shipped run by its folder and by its file", async () => {
  const run = await readMetrics(shipped);
  assertEquals(run.name, "fashion-mnist");
  assertEquals(await readMetrics(shipped.replace("metrics.json", "")), run);
});

Deno.test("readMetrics() names a file that is not there", async () => {
  await assertRejects(
    () => readMetrics("no/such/run"),
    Error,
    'Cannot read "no/such/run/metrics.json" as there is no such file. Make one with deno task train',
  );
});

// deno-lint-ignore no-explicit-any
type Any = any;

Deno.test("parseMetrics() rejects a broken file and says where it is broken", async (t) => {
  const cases: [string, (run: Any) => void, new () => Error, string][] = [
    [
      "a missing field",
      (run) => delete run.test,
      TypeError,
      "test must be an object: current value is nothing",
    ],
    [
      "a text for a number",
      (run) => run.test.accuracy = "high",
      TypeError,
      'number in 0..1: current value is "high"',
    ],
    [
      "an accuracy past 1",
      (run) => run.test.accuracy = 90,
      RangeError,
      "test.accuracy must be a number in 0..1",
    ],
    [
      "half an image",
      (run) => run.test.images = 1.5,
      RangeError,
      "test.images must be a whole number from 1 up",
    ],
    [
      "a loss that was NaN",
      (run) => run.epochs[1].trainLoss = null,
      TypeError,
      "epochs[1].trainLoss must be a number",
    ],
    [
      "a list for an object",
      (run) => run.provenance.recipe = [],
      TypeError,
      "provenance.recipe must be an object",
    ],
    ["an object for a list", (run) => run.epochs = {}, TypeError, "epochs must be a list"],
    [
      "a bin too few",
      (run) => run.calibration.bins.after.pop(),
      TypeError,
      "must be a list of 15: current value is",
    ],
    [
      "no temperature",
      (run) => run.calibration.temperature = 0,
      RangeError,
      "calibration.temperature must be",
    ],
    ["one class", (run) => run.classes.length = 1, TypeError, "two or more classes: current count is 1"],
    ["a row too short", (run) => run.confusion[2].pop(), TypeError, "confusion must be 3×3"],
    [
      "an image too many",
      (run) => run.confusion[0][0]++,
      TypeError,
      "must hold the 10 test images: current sum is 11",
    ],
    [
      "an epoch that was not",
      (run) => run.best_epoch = 4,
      RangeError,
      "one of the 3 epochs: current value is 4",
    ],
    ["a mistake beyond the images", (run) => run.mistakes[0].index = 10, RangeError, "current index is 10"],
    ["a mistake of a stranger", (run) => run.mistakes[0].actual = "hat", TypeError, 'current value is "hat"'],
  ];
  for (const [title, spoil, type, message] of cases) {
    await t.step(title, () => {
      const run = exampleRun();
      spoil(run);
      const error = assertThrows(() => parseMetrics(JSON.stringify(run), "a.json"), type, message);
      assertEquals(error.message.startsWith('Cannot use "a.json" as '), true, error.message);
    });
  }
});

Deno.test("parseMetrics() rejects what is cut off or no object", () => {
  const whole = JSON.stringify(exampleRun());
  assertThrows(
    () => parseMetrics(whole.slice(0, 100), "a.json"),
    SyntaxError,
    'Cannot use "a.json" as it must be JSON',
  );
  assertThrows(
    () => parseMetrics("null", "a.json"),
    TypeError,
    "it must be an object: current value is null",
  );
});
