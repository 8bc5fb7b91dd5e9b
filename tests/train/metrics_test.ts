import { join } from "node:path";
import { InputError } from "../../shared/errors.ts";
import { SHIPPED_FOLDER } from "../../shared/models.ts";
import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { formatMetrics, parseMetrics, readMetrics } from "../../train/artifact/metrics.ts";
import { exampleRun } from "../helpers/example_run.ts";

const shipped = join(SHIPPED_FOLDER, "fashion-mnist", "metrics.json");

Deno.test("parseMetrics() reads what formatMetrics() writes", () => {
  const run = exampleRun();
  const text = formatMetrics(run);
  assertEquals(parseMetrics(text, "metrics.json"), run);
  assertStringIncludes(text, '\n  "best_epoch": 2,\n');
  assertEquals(/"[a-z]+[A-Z]\w*":/.test(text), false, "keys are in snake_case");
});

Deno.test("parseMetrics() ignores unknown fields", () => {
  const run = exampleRun();
  assertEquals(
    parseMetrics(JSON.stringify({ ...JSON.parse(formatMetrics(run)), weather: "fine" }), "metrics.json"),
    run,
  );
});

Deno.test("readMetrics() reads the shipped run by its folder and by its file", async () => {
  const run = await readMetrics(shipped);
  assertEquals(run.name, "fashion-mnist");
  assertEquals(await readMetrics(shipped.replace("metrics.json", "")), run);
});

Deno.test("readMetrics() names a missing file", async () => {
  await assertRejects(
    () => readMetrics("no/such/run"),
    InputError,
    'Cannot read "no/such/run/metrics.json" as there is no such file',
  );
});

// deno-lint-ignore no-explicit-any
type Any = any;

Deno.test("parseMetrics() rejects an invalid file and names the field", async (t) => {
  const cases: [string, (run: Any) => void, string][] = [
    [
      "a missing field",
      (run) => delete run.test,
      "test must be present",
    ],
    [
      "a text for a number",
      (run) => run.test.accuracy = "high",
      'number in 0..1: current value is "high"',
    ],
    [
      "a threshold without a rejected share",
      (run) => run.familiarity.outliers[3].rejected.pop(),
      "familiarity must have a rejected share for each of the 3 thresholds: current count is 2",
    ],
    [
      "an accuracy past 1",
      (run) => run.test.accuracy = 90,
      "test.accuracy must be a number in 0..1",
    ],
    [
      "half an image",
      (run) => run.test.images = 1.5,
      "test.images must be a whole number from 1 up",
    ],
    [
      "a loss that was NaN",
      (run) => run.epochs[1].trainLoss = null,
      "epochs[1].train_loss must be a number",
    ],
    [
      "a list for an object",
      (run) => run.provenance.recipe = [],
      "provenance.recipe must be an object",
    ],
    ["an object for a list", (run) => run.epochs = {}, "epochs must be a list"],
    [
      "a bin too few",
      (run) => run.calibration.bins.after.pop(),
      "must be a list of 15: current value is",
    ],
    [
      "no temperature",
      (run) => run.calibration.temperature = 0,
      "calibration.temperature must be",
    ],
    ["one class", (run) => run.classes.length = 1, "two or more classes: current count is 1"],
    ["a row too short", (run) => run.confusion[2].pop(), "confusion must be 3×3"],
    [
      "an image too many",
      (run) => run.confusion[0][0]++,
      "must add up to the 10 test images: current sum is 11",
    ],
    [
      "a missing epoch",
      (run) => run.bestEpoch = 4,
      "one of the 3 epochs: current value is 4",
    ],
    ["a mistake beyond the images", (run) => run.mistakes[0].index = 10, "current index is 10"],
    ["a mistake with an unknown class", (run) => run.mistakes[0].actual = "hat", 'current value is "hat"'],
  ];
  for (const [title, spoil, message] of cases) {
    await t.step(title, () => {
      const run = exampleRun();
      spoil(run);
      const error = assertThrows(() => parseMetrics(formatMetrics(run), "a.json"), InputError, message);
      assertEquals(error.message.startsWith('Cannot use "a.json" as '), true, error.message);
    });
  }
});

Deno.test("parseMetrics() rejects a truncated file and a value that is not an object", () => {
  const whole = formatMetrics(exampleRun());
  assertThrows(
    () => parseMetrics(whole.slice(0, 100), "a.json"),
    InputError,
    'Cannot use "a.json" as it must be JSON',
  );
  assertThrows(
    () => parseMetrics("null", "a.json"),
    InputError,
    "it must be an object: current value is null",
  );
});
