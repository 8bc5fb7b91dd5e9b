import { assertEquals } from "@std/assert";
import { Classifier } from "../../shared/inference/classifier.ts";
import { tinyModel } from "../helpers/tiny_model.ts";

/** Waits for promises to be settled, without a turn of the event loop. */
async function settle(times: number): Promise<void> {
  for (let i = 0; i < times; i++) await null;
}

Deno.test("Sessions that run at the same time give the results that each gives alone", async () => {
  const models = await Promise.all([1, 2, 3].map(() => Classifier.load(tinyModel({ familiarity: true }))));
  const batches = models.map((model, i) =>
    Float32Array.from({ length: (i + 1) * model.imageSize }, (_, j) => (j % (i + 2)) / (i + 2))
  );
  const expected = [];
  for (const [i, model] of models.entries()) expected.push(await model.runScaled(batches[i]!));
  // Each starts a different number of steps after the first.
  for (let second = 0; second < 12; second++) {
    for (let third = 0; third < 12; third++) {
      const scores = await Promise.all(models.map(async (model, i) => {
        await settle([0, second, third][i]!);
        return await model.runScaled(batches[i]!);
      }));
      assertEquals(scores, expected);
    }
  }
  for (const model of models) await model.close();
});

Deno.test("A session that runs is freed afterwards", async () => {
  const classifier = await Classifier.load(tinyModel());
  const pixels = new Float32Array(6 * 1000).map((_, i) => (i % 7) / 7);
  const expected = await classifier.runScaled(pixels);
  for (let steps = 0; steps < 12; steps++) {
    const other = await Classifier.load(tinyModel());
    const running = other.runScaled(pixels);
    await settle(steps);
    const closed = other.close();
    assertEquals(await running, expected);
    await closed;
  }
  await classifier.close();
});
