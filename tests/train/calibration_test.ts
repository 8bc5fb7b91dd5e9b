import { assertAlmostEquals, assertEquals, assertLess, assertLessOrEqual, assertThrows } from "@std/assert";
import * as fc from "fast-check";
import { Random } from "../../shared/random.ts";
import {
  BINS,
  calibrate,
  fitTemperature,
  reliability,
  type Scored,
} from "../../train/evaluation/calibration.ts";
import { confidentMistakes } from "../../train/evaluation/mistakes.ts";

/** Sixty rows of three logits, of which every fourth is called wrongly. */
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
Deno.test("fitTemperature() finds the temperature that PyTorch finds", () => {
  assertAlmostEquals(fitTemperature(known()), 2.6833259903071336, 1e-6);
});

Deno.test("reliability() gives the paper's expected calibration error, and PyTorch's cross-entropy", () => {
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

Deno.test("reliability() puts a confidence on an edge into the bin below, as the paper does", () => {
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

/** Logits that know something, with some labels that they get wrong. */
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

Deno.test("no temperature near the one that fitTemperature() finds has a smaller cross-entropy", () => {
  fc.assert(fc.property(fc.nat(), fc.integer({ min: 2, max: 12 }), (seed, classes) => {
    const scored = noisy(seed, classes);
    const best = fitTemperature(scored);
    const { loss } = reliability(scored, best);
    for (const factor of [0.5, 0.99, 1.01, 2]) {
      assertLessOrEqual(loss, reliability(scored, best * factor).loss);
    }
  }));
});

Deno.test("fitTemperature() undoes a scale of the logits, from a thousandth to a thousandfold", () => {
  const { logits, labels } = known();
  for (const scale of [1e-3, 0.1, 7, 1e3]) {
    const scaled = { logits: logits.map((logit) => logit * scale), labels };
    assertAlmostEquals(fitTemperature(scaled) / scale, 2.683326, 1e-5);
  }
});

Deno.test("fitTemperature() answers 1 where there is no best temperature", () => {
  assertEquals(fitTemperature({ logits: new Float32Array([3, 0, 0, 3]), labels: [0, 1] }), 1, "all right");
  assertEquals(fitTemperature({ logits: new Float32Array([3, 0, 0, 3]), labels: [1, 0] }), 1, "all wrong");
  assertEquals(fitTemperature({ logits: new Float32Array(4), labels: [0, 1] }), 1, "no opinion");
});

Deno.test("fitTemperature() and reliability() refuse to work without images", () => {
  for (const run of [fitTemperature, reliability]) {
    assertThrows(() => run({ logits: new Float32Array(), labels: [] }), RangeError, "lengths are 0 and 0");
    assertThrows(
      () => run({ logits: new Float32Array(5), labels: [0, 1] }),
      RangeError,
      "lengths are 5 and 2",
    );
  }
});

Deno.test("calibrate() fits on the held-out images and measures on the test images", () => {
  const held = known(), test = noisy(3, 3);
  const { temperature, ece, loss, validation, bins } = calibrate(test, held);
  assertEquals(temperature, 2.6833);
  assertEquals(loss.before, reliability(test).loss);
  assertEquals(ece.after, reliability(test, 2.6833).ece);
  assertEquals(bins.after, reliability(test, 2.6833).bins);
  assertEquals(validation!.images, 60);
  assertLess(validation!.loss.after, validation!.loss.before);
  assertLess(validation!.ece.after, validation!.ece.before);
});

Deno.test("calibrate() leaves a model alone that nothing was held out for", () => {
  const { temperature, ece, loss, validation } = calibrate(known());
  assertEquals([temperature, validation], [1, undefined]);
  assertEquals(ece.before, ece.after);
  assertEquals(loss.before, loss.after);
  const borrowed = calibrate(known(), undefined, 2);
  assertEquals([borrowed.temperature, borrowed.validation], [2, undefined]);
  assertEquals(borrowed.ece.after, reliability(known(), 2).ece);
});

Deno.test("confidentMistakes() names the surest mistakes first, with the scores that are served", () => {
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
