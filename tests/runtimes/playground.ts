/**
 * What the page does, as steps for a server on any runtime.
 *
 * @module
 */
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import {
  assert,
  assertEquals,
  assertLess,
  assertMatch,
  assertNotEquals,
  assertStringIncludes,
} from "@std/assert";
import type { Browser } from "playwright-core";
import { shippedFiles } from "../../serve/shipped_files.ts";
import { encodeGreyPng } from "../helpers/png_encoder.ts";
import { clear, draw, findFaults, open, png, settle, TROUSERS, upload } from "./page_view.ts";

/** What the first view may weigh, in bytes as they are, not as they are sent. */
const FIRST_VIEW = 150_000;

interface Example {
  label: string;
  type: string;
  data: string;
}

/** The examples of the page, and what the server answers to each. */
async function examplesOf(url: string): Promise<{ name: string; label: string; answer: string }[]> {
  const response = await fetch(new URL("/model/examples.json", url));
  const { images }: { images: Example[] } = await response.json();
  return await Promise.all(images.map(async ({ label, type, data }, i) => {
    const response = await fetch(new URL("/v1/classify", url), {
      method: "POST",
      headers: { "content-type": type },
      body: Uint8Array.fromBase64(data),
    });
    return {
      name: `${label}, example ${i + 1}`,
      label,
      answer: (await response.json()).predictions[0].label,
    };
  }));
}

/** Everything that holds on both runtimes; `stop` takes the server away. */
export async function tryAll(
  t: Deno.TestContext,
  browser: Browser,
  url: string,
  stop: () => Promise<unknown>,
): Promise<void> {
  await using view = await open(browser, url);
  const { page, context } = view;
  const examples = await examplesOf(url);
  const choose = async (name: string): Promise<void> =>
    await page.getByRole("button", { name, exact: true }).click();

  await t.step("answers at first sight, within the weight, and nothing moves", async () => {
    const policy = (await page.request.get(url)).headers()["content-security-policy"]!;
    assertMatch(policy, /^default-src 'none';/);
    assert(!/unsafe-inline|'unsafe-eval|https?:|\*/.test(policy), policy);
    assertEquals(await settle(page), examples[0]!.answer);
    await page.getByText(`The example is of the class “${examples[0]!.label}”.`).waitFor();
    await page.getByRole("button", { name: "Undo" }).and(page.locator(":disabled")).waitFor();
    assertEquals(await page.locator("#bars li").count(), 10);
    const bytes = await view.bytes();
    assert(bytes > 20_000, `${bytes} bytes are no page`);
    assertLess(bytes, FIRST_VIEW);
    // A shift of our own comes last: once it is reported, so are all before it.
    const shift = await page.evaluate(() =>
      new Promise<number>((resolve) => {
        let sum = 0;
        const spacer = document.createElement("div");
        const observer = new PerformanceObserver((list) => {
          for (const entry of list.getEntries() as (PerformanceEntry & { value: number })[]) {
            if (entry.startTime < insertedMs) sum += entry.value;
            else {
              spacer.remove();
              resolve(sum);
            }
          }
        });
        observer.observe({ type: "layout-shift", buffered: true });
        spacer.style.height = "200px";
        const insertedMs = performance.now();
        document.body.prepend(spacer);
      })
    );
    assertLess(shift, 0.01);
  });

  await t.step("classifies a drawing, and shows the most probable classes first", async () => {
    await clear(page);
    assertEquals(await page.locator("#label").textContent(), "–");
    await draw(page, TROUSERS);
    assertEquals(await settle(page), "Trouser");
    const rows = await page.locator("#bars li").evaluateAll((rows) =>
      rows.map((row) =>
        [row.firstElementChild!.textContent!, parseFloat(row.lastElementChild!.textContent!)] as const
      )
    );
    assertEquals(rows[0]![0], "Trouser");
    assertEquals(rows.map(([, share]) => share), rows.map(([, share]) => share).sort((a, b) => b - a));
    const next = (await page.locator("#next").textContent())!;
    assertMatch(next, new RegExp(`^Next: ${rows[1]![0]} .+, ${rows[2]![0]} `));
    await page.locator("#file-name", { hasText: "drawing.png" }).waitFor();
    await page.getByText("Inverted to bright on black, as the training images are.").waitFor();
    await page.getByRole("button", { name: "Undo" }).click();
    await page.locator("#label", { hasText: /^–$/ }).waitFor();
  });

  await t.step("clears everything that is about the picture", async () => {
    await choose(examples[3]!.name);
    await settle(page);
    await page.getByRole("button", { name: "Clear" }).click();
    await page.locator("#file-name", { hasText: "drawing.png" }).waitFor();
    for (const id of ["score", "confidence", "next", "said", "expected", "fit-text", "message"]) {
      assertEquals(await page.locator(`#${id}`).textContent(), "", id);
    }
    assertEquals(new Set(await page.locator("#bars li span:last-child").allTextContents()), new Set(["–"]));
    assertEquals(new Set(await page.locator("#server td, #browser td").allTextContents()), new Set(["–"]));
    for (const id of ["input", "heat"]) {
      const ink = await page.locator(`#${id}`).evaluate((canvas) => {
        const context = new OffscreenCanvas(28, 28).getContext("2d")!;
        context.drawImage(canvas as HTMLCanvasElement, 0, 0);
        return context.getImageData(0, 0, 28, 28).data.some((value) => value > 0);
      });
      assertEquals(ink, false, id);
    }
  });

  await t.step("shows nothing of the picture before while the answer is awaited", async () => {
    await choose(examples[2]!.name);
    await settle(page);
    const gate = Promise.withResolvers<void>();
    await page.route("**/infer", async (route) => {
      await gate.promise;
      await route.continue();
    });
    await choose(examples[4]!.name);
    await choose(examples[18]!.name);
    assertEquals(await page.locator("#label").textContent(), "–");
    assertEquals(await page.locator("#heat").getAttribute("data-for"), "");
    gate.resolve();
    // Not the answer to the picture in between either.
    const seen = await page.locator("#label").evaluate((label) =>
      new Promise<string>((resolve) => {
        const look = (): void =>
          label.textContent === "–" ? void setTimeout(look) : resolve(label.textContent!);
        look();
      })
    );
    assertEquals(seen, examples[18]!.answer);
    await page.unroute("**/infer");
  });

  await t.step("says that a blank picture has nothing to classify, as the server does", async () => {
    const blank = encodeGreyPng(() => 180);
    const response = await fetch(new URL("/v1/classify", url), {
      method: "POST",
      headers: { "content-type": "image/png" },
      body: blank,
    });
    assertEquals(response.status, 422);
    await response.body?.cancel();
    await upload(page, "wall.png", blank);
    await page.getByRole("alert").filter({ hasText: "Nothing stands out from the background" }).waitFor();
    assertEquals(await page.locator("#label").textContent(), "–");
  });

  await t.step("explains the control that has the pointer or the focus", async () => {
    for (
      const [name, text] of [["Brush", "Draw lines"], ["Crop", "Cuts the picture"], [
        "Camera",
        "Classifies what",
      ]]
    ) {
      await page.getByText(name!, { exact: true }).first().hover();
      await page.locator("#help", { hasText: text! }).waitFor();
    }
    await page.getByLabel("Invert").focus();
    await page.locator("#help", { hasText: "Exchanges bright and dark" }).waitFor();
  });

  await t.step("classifies an uploaded picture as the server does", async () => {
    for (const [classIndex, seed] of [[5, 3], [0, 2]] as const) {
      const body = png(classIndex, seed);
      const response = await fetch(new URL("/v1/classify", url), {
        method: "POST",
        headers: { "content-type": "image/png" },
        body,
      });
      const wanted = (await response.json()).predictions[0].label;
      await clear(page);
      await upload(page, "garment.png", body);
      assertEquals(await settle(page), wanted);
    }
  });

  await t.step("takes what is dropped or pasted, and shows the call to copy", async () => {
    for (const [kind, classIndex, seed] of [["drop", 5, 3], ["paste", 8, 6]] as const) {
      await clear(page);
      const bytes = [...png(classIndex, seed)];
      await page.evaluate(([kind, bytes]) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([new Uint8Array(bytes)], "garment.png", { type: "image/png" }));
        const options = { bubbles: true, cancelable: true };
        const event = kind === "drop"
          ? new DragEvent("drop", { ...options, dataTransfer: transfer })
          : new ClipboardEvent("paste", { ...options, clipboardData: transfer });
        document.querySelector("#stage")!.dispatchEvent(
          event,
        );
      }, [kind, bytes] as const);
      assertEquals(await settle(page), classIndex === 5 ? "Sandal" : "Bag", kind);
    }
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await page.locator("#languages").getByText("curl", { exact: true }).click();
    await page.getByRole("button", { name: "Copy" }).click();
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    assertEquals(copied.trim(), (await page.locator("#code-curl code").textContent())!.trim());
    assertStringIncludes(copied, "--data-binary @garment.png");
    await page.evaluate(() => scrollTo(0, 0));
  });

  await t.step("shows an error for a broken picture, and continues", async () => {
    const before = await page.locator("#label").textContent();
    await upload(page, "holiday.png", png(8, 6).subarray(0, 60));
    const message = page.getByRole("alert");
    await message.waitFor();
    assertEquals(
      await message.textContent(),
      "“holiday.png” cannot be read as a picture. Try a PNG, JPEG or WebP file.",
    );
    assertEquals(await page.locator("#label").textContent(), before);
  });

  await t.step("lets one exchange bright and dark, and not crop", async () => {
    await clear(page);
    await draw(page, [[.1, .1], [.3, .1], [.3, .3], [.1, .3]]);
    await settle(page);
    const mean = (): Promise<number> =>
      page.evaluate(() => {
        // On another canvas, as Chromium minds if one reads from those of a page.
        const context = new OffscreenCanvas(28, 28).getContext("2d")!;
        context.drawImage(document.querySelector<HTMLCanvasElement>("#input")!, 0, 0);
        const { data } = context.getImageData(0, 0, 28, 28);
        return data.filter((_, i) => i % 4 === 0).reduce((sum, value) => sum + value, 0) / 784;
      });
    const cropped = await mean();
    await page.getByLabel("Crop").uncheck();
    const whole = await mean();
    await page.getByLabel("Invert").check();
    assert(cropped > 200 && whole < 30, `${cropped}, ${whole}`);
    assertLess(Math.abs(await mean() - (255 - whole)), 1);
    await page.getByLabel("Invert").uncheck();
    await page.getByLabel("Crop").check();
  });

  const isOff = async (): Promise<boolean> =>
    await page.locator("#video").evaluate((video) => (video as HTMLVideoElement).srcObject === null);

  await t.step("classifies what the camera sees, and takes a picture on demand", async () => {
    assert(await isOff(), "the camera is off until it is requested");
    await clear(page);
    await context.grantPermissions(["camera"]);
    await page.getByRole("button", { name: "Camera" }).click();
    await page.locator("#label", { hasText: /\w/ }).waitFor();
    await page.locator("#rate", { hasText: "answers/s" }).waitFor();
    await page.getByRole("button", { name: "Take a picture" }).click();
    assertNotEquals(await settle(page), "–");
    assert(await isOff(), "the camera is off after the picture");
    await page.getByRole("button", { name: "Camera" }).click();
    await page.getByRole("button", { name: "Stop" }).click();
    assert(await isOff());
  });

  await t.step("gives the same answers in this browser, one after the other from the camera", async () => {
    await page.getByText("Both", { exact: true }).click();
    const row = (id: string): Promise<string> =>
      page.locator(`#${id} td`).first().textContent() as Promise<string>;
    for (const { name, answer } of [examples[14]!, examples[2]!]) {
      await choose(name);
      // One row may be filled before the other, and the first time the browser loads the model.
      for (const id of ["label", "server td:nth-child(2)", "browser td:nth-child(2)"]) {
        await page.locator(`#${id}`, { hasText: answer }).first().waitFor();
      }
      assertEquals([await settle(page), await row("server"), await row("browser")], [answer, answer, answer]);
    }
    assertMatch((await page.locator("#where-text").textContent())!, /^The same label, from the same file/);
    assertMatch((await page.locator("#browser td").nth(2).textContent())!, /^[\d.]+ ms$/);
    await page.getByText("In this browser", { exact: true }).click();
    await page.getByRole("button", { name: "Camera" }).click();
    // How many depends on what else the machine does.
    await page.locator("#rate", { hasText: /^[1-9]\d* answers\/s$/ }).waitFor();
    await page.locator("#browser td", { hasText: /\d ms$/ }).waitFor();
    await page.getByRole("button", { name: "Stop" }).click();
    await page.getByText("Both", { exact: true }).click();
  });

  await t.step("omits the heat map on request", async () => {
    await page.getByRole("checkbox", { name: "Heat map" }).uncheck();
    await choose(examples[5]!.name);
    await page.locator("#said", { hasText: examples[5]!.answer }).waitFor();
    assertEquals(await page.locator("#heat").getAttribute("data-for"), "");
    await page.getByRole("checkbox", { name: "Heat map" }).check();
    await settle(page);
    await page.locator("#heat-label", { hasText: `for “${examples[5]!.answer}”` }).waitFor();
  });

  await t.step("links to pages to read, with the plots of the model card", async () => {
    await using other = await open(browser, url);
    const links = await other.page.locator("nav a").evaluateAll((links) =>
      links.map((link) => (link as HTMLAnchorElement).href)
    );
    assertEquals(links.map((link) => new URL(link).pathname), [
      "/model",
      "/docs",
      "/guide/front-end",
      "/guide/own-images",
      "/guide/deploy",
      "/guide/readme",
    ]);
    for (const link of links) {
      await other.page.goto(link);
      await other.page.locator("h1").waitFor();
    }
    await other.page.goto(links[0]!);
    assertEquals(await findFaults(other.page), []);
    const images = other.page.locator("main img");
    assertEquals(await images.count(), Object.keys(shippedFiles.plots!).length);
    for (const image of await images.all()) {
      await image.scrollIntoViewIfNeeded();
      await other.page.waitForFunction(
        (image) => (image as HTMLImageElement).naturalWidth > 0,
        await image.elementHandle(),
      );
    }
    await other.page.getByRole("link", { name: "Try the model" }).click();
    await other.page.locator("#drawing").waitFor();
    assertEquals(other.complaints, []);
  });

  await t.step("has no serious accessibility fault, light or dark", async () => {
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      assertEquals(await findFaults(page), [], colorScheme);
    }
  });

  await t.step("fits a phone, and can be used by keyboard", async () => {
    await page.setViewportSize({ width: 360, height: 800 });
    assertEquals(await page.evaluate(() => document.documentElement.scrollWidth), 360);
    const { name, answer } = examples[16]!;
    await page.getByRole("button", { name, exact: true }).focus();
    await page.keyboard.press("Enter");
    await page.locator("#label", { hasText: answer }).waitFor();
    await page.locator('input[name="where"][value="both"]').focus();
    await page.keyboard.press("ArrowLeft");
    await page.locator("#server td", { hasText: "not asked" }).waitFor();
    assertEquals(await settle(page), answer);
  });
  assertEquals(view.complaints, [], "the console is quiet");

  await t.step("continues without the server", async () => {
    await stop();
    await page.reload();
    assertEquals(await settle(page), examples[0]!.answer);
    await choose(examples[14]!.name);
    await page.locator("#label", { hasText: examples[14]!.answer }).waitFor();
    await page.getByText("On the server", { exact: true }).click();
    await page.getByRole("alert").waitFor();
    assertEquals(await page.getByRole("alert").textContent(), "The server is unreachable.");
  });
}
