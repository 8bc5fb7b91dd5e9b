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
import { createTestHarness } from "wrangler";
import { tinyModel } from "../helpers/tiny_model.ts";
import { shippedFiles } from "../../serve/shipped_files.ts";
import { MAIN, start } from "./deno_server.ts";
import { writeOnnx } from "../../shared/onnx/write.ts";
import { Random } from "../../shared/random.ts";
import { mlpToOnnx } from "../../train/artifact/export.ts";
import { inTemporaryFolder } from "../helpers/temporary_folder.ts";
import { encodePng } from "../helpers/png_encoder.ts";
import {
  clear,
  draw,
  findFaults,
  open,
  png,
  settle,
  test,
  TROUSERS,
  upload,
  type View,
} from "./page_view.ts";

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
async function tryAll(
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
    const blank = encodePng({
      width: 60,
      height: 40,
      depth: 8,
      colour: 0,
      interlaced: false,
      filters: [0],
      sample: () => 180,
    });
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

test("The playground works on Deno", async (t, browser) => {
  await using server = await start([...MAIN, "--port=0"]);
  await tryAll(t, browser, `${server.url}/`, () => server.stop("SIGTERM"));
});

test("The playground works on workerd", async (t, browser) => {
  // Miniflare would ask Cloudflare where in the world it is; nothing here depends on that.
  Deno.env.set("CLOUDFLARE_CF_FETCH_ENABLED", "false");
  const server = createTestHarness({
    workers: [{ configPath: new URL("../../wrangler.toml", import.meta.url) }],
  });
  let isOpen = true;
  const stop = async (): Promise<void> => {
    if (isOpen) await server.close();
    isOpen = false;
  };
  try {
    const { url } = await server.listen();
    await tryAll(t, browser, String(url), stop);
  } finally {
    await stop();
  }
});

test(
  "The playground asks for an API key where the server does, and forgets it with the tab",
  async (_t, browser) => {
    const key = "a-key-of-the-tests-1234";
    await using server = await start([...MAIN, "--port=0"], { API_KEYS: key });
    await using view = await open(browser, `${server.url}/`);
    const { page, context } = view;
    const field = page.getByLabel("This server requires an API key.");
    await field.fill("not-the-key-of-the-tests");
    await field.press("Enter");
    await page.getByRole("alert").waitFor();
    assertStringIncludes((await page.getByRole("alert").textContent())!, "The API key is missing or invalid");
    assertEquals(await findFaults(page), []);
    await field.fill(key);
    await field.press("Enter");
    const answer = await settle(page);
    await page.getByText("Both", { exact: true }).click();
    await page.locator("#browser td", { hasText: answer }).waitFor();
    await page.reload();
    assertEquals(await settle(page), answer);
    const other = await context.newPage();
    await other.goto(`${server.url}/`);
    await other.getByLabel("This server requires an API key.").waitFor();
    assertEquals(
      await other.evaluate(() => JSON.stringify(localStorage).includes("a-key")),
      false,
    );
    // The first key was wrong, and Chromium notes the 401.
    assertEquals(view.complaints.filter((text) => !text.includes("401")), []);
  },
);

test("The playground sends corrections where the server takes feedback", async (_t, browser) => {
  const key = "a-key-of-the-tests-1234";
  await inTemporaryFolder(async (folder) => {
    const store = `${folder}/store`;
    const args = ["run", `--allow-write=${store}`, ...MAIN.slice(1), "--port=0"];
    await using server = await start(args, { API_KEYS: key, FEEDBACK_STORE: store });
    await using view = await open(browser, `${server.url}/`);
    const { page } = view;
    await page.getByLabel("This server requires an API key.").fill(key);
    await page.keyboard.press("Enter");
    await settle(page);
    const body = png(8, 6);
    await upload(page, "bag.png", body);
    await settle(page);
    await page.getByText("This is wrong").click();
    await page.getByLabel("It shows").selectOption("Ankle boot");
    assertEquals(await findFaults(page), []);
    await page.getByRole("button", { name: "Send the picture" }).click();
    await page.getByText("Stored as “Ankle boot”. Thank you.").waitFor();
    const stored = await Array.fromAsync(walk(store));
    assertEquals(stored.length, 1);
    assertMatch(stored[0]!, /Ankle boot/);
    assertEquals(await Deno.readFile(stored[0]!), body);
    // Another picture has not been corrected yet.
    await page.getByRole("button", { name: "Clear" }).click();
    assertEquals(await page.locator("#wrong").getAttribute("open"), null);
    await page.getByText("This is wrong").click();
    await page.getByLabel("It shows").selectOption("Bag");
    await page.getByRole("button", { name: "Send the picture" }).click();
    await page.getByText("Draw or choose a picture first.").waitFor();
    assertEquals(view.complaints, []);
  });
});

async function* walk(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) yield* walk(`${folder}/${name}`);
    else yield `${folder}/${name}`;
  }
}

/** Serves a model and opens its page. */
async function withModel(
  browser: Browser,
  model: Uint8Array<ArrayBuffer>,
  use: (view: View) => Promise<void>,
): Promise<void> {
  const file = await Deno.makeTempFile({ suffix: ".onnx" });
  try {
    await Deno.writeFile(file, model);
    await using server = await start([...MAIN, "--port=0"], { MODEL: file });
    await using view = await open(browser, `${server.url}/`);
    await use(view);
    assertEquals(await findFaults(view.page), []);
    assertEquals(view.complaints, []);
  } finally {
    await Deno.remove(file);
  }
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
