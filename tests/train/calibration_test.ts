import { assertAlmostEquals, assertEquals, assertLess, assertLessOrEqual, assertThrows } from "@std/assert";
import * as fc from "fast-check";
import { InputError } from "../../shared/errors.ts";
import { Random } from "../../shared/random.ts";
import {
  BINS,
  calibrate,
  fitTemperature,
  reliability,
  type Scored,
} from "../../train/evaluation/calibration.ts";
import { confidentMistakes } from "../../train/evaluation/mistakes.ts";

/** Sixty rows of three logits; every fourth is misclassified. */
function known(): Scored {
  const logits = Float32Array.from(
    { length: 180 },
    (_, i) => 3 * Math.sin(1.7 * Math.floor(i / 3) + 2.1 * (i % 3)),
  );
  const labels = Array.from({ length: 60 }, (_, i) => {
    const row = [...logits.subarray(3 * i, 3 * i + 3)];
    const best = row.indexOf(Math.max(...row));
    return i % 4 ? best : (best + 1) % 3;
  });
  return { logits, labels };
}

// The known values are PyTorch 2.13's: LBFGS on the logarithm of the temperature, and the code of Guo et al.
Deno.test("fitTemperature() finds the same temperature as PyTorch", () => {
  assertAlmostEquals(fitTemperature(known()), 2.6833259903071336, 1e-6);
});

Deno.test("reliability() matches the paper's expected calibration error and PyTorch's cross-entropy", () => {
  for (
    const [temperature, ece, loss] of [
      [1, 0.21069211467241722, 1.1919226148742896],
      [2, 0.141261271251986, 0.8683387259727463],
    ] as const
  ) {
    const found = reliability(known(), temperature);
    assertAlmostEquals(found.ece, ece, 1e-12);
    assertAlmostEquals(found.loss, loss, 1e-12);
    assertEquals(found.bins.reduce((sum, { images }) => sum + images, 0), 60);
  }
});

Deno.test("reliability() puts a confidence on a bin edge into the lower bin, as the paper does", () => {
  const binOf = (classes: number): number =>
    reliability({ logits: new Float32Array(classes), labels: [0] }).bins.findIndex(({ images }) =>
      images === 1
    );
  // Equal logits of five classes: a confidence of exactly a fifth, the upper edge of the third bin.
  assertEquals(binOf(5), 2);
  assertEquals(binOf(2), 7);
  const sure = { logits: new Float32Array([100, -100]), labels: [0] };
  assertEquals(reliability(sure).bins[BINS - 1], { images: 1, confidence: 1, accuracy: 1 });
  assertEquals(reliability(sure).ece, 0);
});

/** Logits that are better than chance, with some mistakes. */
function noisy(seed: number, classes: number): Scored {
  const random = new Random(seed);
  const labels = Array.from({ length: 80 }, (_, i) => i % classes);
  const logits = new Float32Array(labels.length * classes);
  labels.forEach((label, i) => {
    for (let c = 0; c < classes; c++) {
      logits[i * classes + c] = random.uniform(-3, 3) + (c === label ? 1.5 : 0);
    }
  });
  return { logits, labels };
}

Deno.test("fitTemperature() finds a minimum of the cross-entropy", () => {
  fc.assert(fc.property(fc.nat(), fc.integer({ min: 2, max: 12 }), (seed, classes) => {
    const scored = noisy(seed, classes);
    const best = fitTemperature(scored);
    const { loss } = reliability(scored, best);
    for (const factor of [0.5, 0.99, 1.01, 2]) {
      assertLessOrEqual(loss, reliability(scored, best * factor).loss);
    }
  }));
});

Deno.test("fitTemperature() is proportional to the scale of the logits, from 0.001 to 1000", () => {
  const { logits, labels } = known();
  for (const scale of [1e-3, 0.1, 7, 1e3]) {
    const scaled = { logits: logits.map((logit) => logit * scale), labels };
    assertAlmostEquals(fitTemperature(scaled) / scale, 2.683326, 1e-5);
  }
});

Deno.test("fitTemperature() returns 1 if there is no minimum", () => {
  assertEquals(fitTemperature({ logits: new Float32Array([3, 0, 0, 3]), labels: [0, 1] }), 1, "all correct");
  assertEquals(fitTemperature({ logits: new Float32Array([3, 0, 0, 3]), labels: [1, 0] }), 1, "all wrong");
  assertEquals(fitTemperature({ logits: new Float32Array(4), labels: [0, 1] }), 1, "equal logits");
  assertEquals(fitTemperature({ logits: new Float32Array([1, 1, 3, 0]), labels: [1, 0] }), 1, "a tie");
});

Deno.test("fitTemperature() and reliability() reject an empty or incomplete set of logits", () => {
  for (const run of [fitTemperature, reliability]) {
    assertThrows(() => run({ logits: new Float32Array(), labels: [] }), InputError, "lengths are 0 and 0");
    assertThrows(
      () => run({ logits: new Float32Array(5), labels: [0, 1] }),
      InputError,
      "lengths are 5 and 2",
    );
  }
});

Deno.test("calibrate() fits on the validation images and measures on the test split", () => {
  const test = noisy(3, 3);
  const { temperature, ece, loss, validation, bins } = calibrate(test, known());
  assertEquals(temperature, 2.6833);
  assertEquals(loss.before, reliability(test).loss);
  assertEquals(ece.after, reliability(test, 2.6833).ece);
  assertEquals(bins.after, reliability(test, 2.6833).bins);
  assertEquals(validation!.images, 60);
  assertLess(validation!.loss.after, validation!.loss.before);
  assertLess(validation!.ece.after, validation!.ece.before);
});

Deno.test("calibrate() uses the fallback temperature if there are no validation images", () => {
  const { temperature, ece, loss, validation } = calibrate(known());
  assertEquals([temperature, validation], [1, undefined]);
  assertEquals(ece.before, ece.after);
  assertEquals(loss.before, loss.after);
  const borrowed = calibrate(known(), undefined, 2);
  assertEquals([borrowed.temperature, borrowed.validation], [2, undefined]);
  assertEquals(borrowed.ece.after, reliability(known(), 2).ece);
});

Deno.test("confidentMistakes() sorts by confidence, with the scores that the server answers with", () => {
  const logits = new Float32Array([2, 0, 5, 0, 0, 1, 0, 3]);
  const scored = { logits, labels: [1, 1, 0, 1] };
  const score = (difference: number): number => 1 / (1 + Math.exp(-difference / 2));
  assertEquals(confidentMistakes(scored, ["a", "b"], 2), [
    { index: 1, actual: "b", predicted: "a", score: score(5) },
    { index: 0, actual: "b", predicted: "a", score: score(2) },
    { index: 2, actual: "a", predicted: "b", score: score(1) },
  ]);
  assertEquals(confidentMistakes(scored, ["a", "b"], 2, 1).map(({ index }) => index), [1]);
});
