/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Browser } from "playwright-core";
import { tinyModel } from "../helpers/tiny_model.ts";
import { writeOnnx } from "../../shared/onnx/write.ts";
import { Random } from "../../shared/random.ts";
import { mlpToOnnx } from "../../train/artifact/export.ts";
import { encodePng } from "../helpers/png_encoder.ts";
import { clear, draw, findFaults, settle, test, TROUSERS, upload, type View } from "./page_view.ts";
import { withPage } from "./served_page.ts";

/** Serves a model, and finds no fault with its page in the end. */
async function withModel(
  browser: Browser,
  model: Uint8Array<ArrayBuffer>,
  use: (view: View) => Promise<void>,
): Promise<void> {
  await withPage(browser, model, async (view) => {
    await use(view);
    assertEquals(await findFaults(view.page), []);
  });
}

test("The playground is made for the model that is served", async (_t, browser) => {
  await withModel(browser, tinyModel(), async ({ page }) => {
    assertEquals(await page.locator("#bars li span:first-child").allTextContents(), [
      "left",
      "middle",
      "<right>",
    ]);
    assertEquals(await page.locator("#samples, #unfamiliar").count(), 0);
    assertEquals(
      await page.locator("#input").evaluate((element) => {
        const { width, height } = element as HTMLCanvasElement;
        return [width, height];
      }),
      [3, 2],
    );
    await page.getByText("Draw here, or drop a picture").waitFor();
    await page.getByLabel("Crop").uncheck();
    // The stage is a square and the input is not: what is on its right is in the last column.
    await draw(page, [[.9, .05], [.98, .05], [.98, .95], [.9, .95]]);
    await settle(page);
    await page.getByText("Both", { exact: true }).click();
    await page.locator("#where-text", { hasText: "The same label" }).waitFor();
  });
});

test(
  "The playground says that a picture looks like nothing the model was trained on",
  async (_t, browser) => {
    // Its model prefers grey pictures.
    await withModel(browser, tinyModel({ familiarity: true }), async ({ page }) => {
      const picture = (sample: (x: number) => number): Uint8Array<ArrayBuffer> =>
        encodePng({ width: 3, height: 2, depth: 8, colour: 0, interlaced: false, filters: [0], sample });
      const banner = page.locator("#unfamiliar");
      for (const where of ["On the server", "In this browser"]) {
        await page.getByText(where, { exact: true }).click();
        await upload(page, "black-and-white.png", picture((x) => x === 1 ? 255 : 0));
        await banner.filter({ hasText: "This does not look like anything the model was trained on." })
          .waitFor();
        assertEquals(await settle(page), "middle");
        assertStringIncludes(
          await page.locator("#bars").evaluate((bars) => getComputedStyle(bars).filter),
          "grayscale",
        );
        await upload(page, "grey.png", picture((x) => x === 2 ? 140 : 120));
        assertEquals(await settle(page), "<right>");
        assertEquals(await banner.textContent(), "");
        await clear(page);
        assertEquals(await banner.textContent(), "");
      }
    });
  },
);

/** A model of images of 28×28 pixels with random weights. */
function randomModel(labels: string[]): Uint8Array<ArrayBuffer> {
  const random = new Random(3);
  const weight = Float32Array.from({ length: labels.length * 784 }, () => (random.uniform() - 0.5) / 2);
  const layer = {
    inFeatures: 784,
    outFeatures: labels.length,
    weight,
    bias: new Float32Array(labels.length),
  };
  return writeOnnx(mlpToOnnx([layer], {
    name: "many_things",
    labels,
    input: { channels: 1, height: 28, width: 28 },
    provenance: {
      dataset: { name: "Things", sha256: "0".repeat(64) },
      recipe: {},
      seed: 3,
      backend: "cpu",
      codeVersion: "0.0.0",
    },
  }));
}

test("The playground shows ten of a thousand classes, and all on request", async (_t, browser) => {
  const labels = Array.from(
    { length: 1000 },
    (_, i) => i % 7 === 0 ? `class ${i} with a rather long name` : `class ${i}`,
  );
  await withModel(browser, randomModel(labels), async ({ page }) => {
    await page.getByText("and 988 more").waitFor();
    await draw(page, TROUSERS);
    const top = await settle(page);
    const bars = page.locator("#bars li");
    assertEquals(await bars.count(), 10);
    await page.getByRole("button", { name: "Show all 1,000" }).click();
    assertEquals(await bars.count(), 1000);
    assertEquals(await bars.first().locator("span").first().textContent(), top);
    await draw(page, [[.1, .1], [.4, .1], [.4, .4], [.1, .4]]);
    await settle(page);
    await page.getByRole("button", { name: "Show the first" }).click();
    assertEquals(await bars.count(), 10);
  });
});

test("The playground shows labels that are written from right to left", async (_t, browser) => {
  const labels = ["قميص", "حذاء رياضي", "חולצה (M)", "<b>bold</b>"];
  await withModel(browser, randomModel(labels), async ({ page }) => {
    assertEquals(await page.locator("#bars li span:first-child").allTextContents(), labels);
    assertEquals(
      await page.locator("#bars li span:first-child").evaluateAll((spans) =>
        spans.map((span) => getComputedStyle(span).direction)
      ),
      ["rtl", "rtl", "rtl", "ltr"],
    );
    await draw(page, TROUSERS);
    assert(labels.includes(await settle(page)));
    // 200 % of a window of 1280 pixels.
    await page.setViewportSize({ width: 640, height: 450 });
    assertEquals(await page.evaluate(() => document.documentElement.scrollWidth), 640);
  });
});
