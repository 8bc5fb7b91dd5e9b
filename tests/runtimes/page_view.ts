/**
 * What the tests of the page share: a browser, a page that is open, and what a person does there.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import axe from "axe-core";
import type { Browser, BrowserContext, BrowserContextOptions, Page } from "playwright-core";
import { drawSilhouette } from "../../shared/silhouettes/silhouettes.ts";
import { encodePng } from "../helpers/png_encoder.ts";
import { hasChromium, startChromium, WITHOUT_CHROMIUM } from "./chromium.ts";

/** Runs a test with a browser, or says why not. */
export function test(
  name: string,
  run: (t: Deno.TestContext, browser: Browser) => Promise<void>,
  { ignore = false } = {},
): void {
  Deno.test({
    name: hasChromium() ? name : `${name} (${WITHOUT_CHROMIUM})`,
    ignore: ignore || !hasChromium(),
    // The connection to the browser outlives the test that it was made in by a moment.
    sanitizeOps: false,
    sanitizeResources: false,
    async fn(t): Promise<void> {
      await using chromium = await startChromium();
      await run(t, chromium.browser);
    },
  });
}

export interface View extends AsyncDisposable {
  page: Page;
  context: BrowserContext;
  /** Errors and warnings in the console, and exceptions. */
  complaints: string[];
  /** Bytes of all answers so far. */
  bytes(): Promise<number>;
}

export async function open(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<View> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  const complaints: string[] = [];
  const sizes: Promise<number>[] = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("response", (response) => sizes.push(response.body().then(({ length }) => length, () => 0)));
  await page.goto(url);
  return {
    page,
    context,
    complaints,
    bytes: async () => (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0),
    [Symbol.asyncDispose]: () => context.close(),
  };
}

/** Waits until the answer to what is shown is complete, heat map and all. */
export async function settle(page: Page): Promise<string> {
  const label = page.locator("#label");
  await page.waitForFunction(() => {
    const said = document.getElementById("label")!.textContent;
    return said !== "–" && document.getElementById("heat")!.dataset.for === said &&
      document.getElementById("said")!.textContent!.startsWith(said);
  });
  return (await label.textContent())!;
}

/** Clears the stage, and waits until no prediction is shown. */
export async function clear(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Clear" }).click();
  await page.locator("#label", { hasText: /^–$/ }).waitFor();
}

/** Draws an outline with the mouse, in parts of the stage. */
export async function draw(page: Page, points: [number, number][]): Promise<void> {
  const { x, y, width, height } = (await page.locator("#drawing").boundingBox())!;
  const places = points.map(([px, py]) => [x + px * width, y + py * height] as const);
  await page.mouse.move(...places[0]!);
  await page.mouse.down();
  for (const place of places.slice(1)) await page.mouse.move(...place, { steps: 3 });
  await page.mouse.up();
}

export const TROUSERS: [number, number][] = [
  [.36, .1],
  [.64, .1],
  [.68, .9],
  [.55, .9],
  [.5, .35],
  [.45, .9],
  [.32, .9],
];

export function png(classIndex: number, seed: number): Uint8Array<ArrayBuffer> {
  const pixels = drawSilhouette(classIndex, seed);
  return encodePng({
    width: 28,
    height: 28,
    depth: 8,
    colour: 0,
    interlaced: false,
    filters: [0],
    sample: (x, y) => pixels[y * 28 + x]!,
  });
}

export async function upload(page: Page, name: string, bytes: Uint8Array): Promise<void> {
  await page.locator("#file").setInputFiles({ name, mimeType: "image/png", buffer: Buffer.from(bytes) });
}

export async function findFaults(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => (globalThis as unknown as { axe: typeof axe }).axe.run());
  return violations.filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
}
