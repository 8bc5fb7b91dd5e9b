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
import { MAIN, start } from "./deno_server.ts";
import { clear, draw, findFaults, open, png, settle, test, TROUSERS, upload } from "./page_view.ts";

/** What the first view may weigh, in bytes as they are, not as they are sent. */
const FIRST_VIEW = 150_000;

/** Everything that holds on both runtimes; `stop` takes the server away. */
async function tryAll(
  t: Deno.TestContext,
  browser: Browser,
  url: string,
  stop: () => Promise<unknown>,
): Promise<void> {
  await using view = await open(browser, url);
  const { page, context } = view;

  await t.step("answers at first sight, within the weight, and nothing moves", async () => {
    const policy = (await page.request.get(url)).headers()["content-security-policy"]!;
    assertMatch(policy, /^default-src 'none';/);
    assert(!/unsafe-inline|'unsafe-eval|https?:|\*/.test(policy), policy);
    await settle(page);
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

  await t.step("classifies a drawing, and shows the equivalent request", async () => {
    await clear(page);
    assertEquals(await page.locator("#label").textContent(), "–");
    await draw(page, TROUSERS);
    assertEquals(await settle(page), "Trouser");
    const command = (await page.locator("#curl").textContent())!;
    assertStringIncludes(command, new URL(url).host);
    const { stdout } = await new Deno.Command("sh", { args: ["-c", command.replace("curl ", "curl -s ")] })
      .output();
    assertEquals(JSON.parse(new TextDecoder().decode(stdout)).predictions[0].label, "Trouser");
    await page.getByRole("button", { name: "Undo" }).click();
    await page.locator("#label", { hasText: /^–$/ }).waitFor();
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
    await page.getByRole("button", { name: "Copy" }).first().click();
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    assertEquals(copied.trim(), (await page.locator("#curl").textContent())!.trim());
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

  await t.step("takes a picture with the camera, which is off until it is requested", async () => {
    assertEquals(
      await page.locator("#video").evaluate((video) => (video as HTMLVideoElement).srcObject),
      null,
    );
    await clear(page);
    await context.grantPermissions(["camera"]);
    await page.getByRole("button", { name: "Camera" }).click();
    await page.getByRole("button", { name: "Take a photo" }).click();
    assertNotEquals(await settle(page), "–");
    assertEquals(
      await page.locator("#video").evaluate((video) => (video as HTMLVideoElement).srcObject),
      null,
    );
  });

  await t.step("says the same in this browser", async () => {
    await page.getByText("Both", { exact: true }).click();
    const row = (id: string): Promise<string> =>
      page.locator(`#${id} td`).first().textContent() as Promise<string>;
    for (const name of ["Sneaker", "Trouser"]) {
      await page.getByRole("button", { name, exact: true }).click();
      // One row may be filled before the other, and the first time the browser loads the model.
      for (const id of ["label", "server td:nth-child(2)", "browser td:nth-child(2)"]) {
        await page.locator(`#${id}`, { hasText: name }).first().waitFor();
      }
      assertEquals([await settle(page), await row("server"), await row("browser")], [name, name, name]);
    }
    assertMatch((await page.locator("#where-text").textContent())!, /^The same label, from the same file/);
    assertMatch((await page.locator("#browser td").nth(2).textContent())!, /^[\d.]+ ms$/);
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
    await page.getByRole("button", { name: "Bag", exact: true }).focus();
    await page.keyboard.press("Enter");
    await page.locator("#label", { hasText: "Bag" }).waitFor();
    await page.locator('input[name="where"][value="both"]').focus();
    await page.keyboard.press("ArrowLeft");
    await page.locator("#server td", { hasText: "not asked" }).waitFor();
    assertEquals(await settle(page), "Bag");
  });
  assertEquals(view.complaints, [], "the console is quiet");

  await t.step("continues without the server", async () => {
    await stop();
    await page.reload();
    await settle(page);
    await page.getByRole("button", { name: "Sneaker", exact: true }).click();
    await page.locator("#label", { hasText: "Sneaker" }).waitFor();
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
    assertEquals(await settle(page), "Coat");
    await page.getByText("Both", { exact: true }).click();
    await page.locator("#browser td", { hasText: "Coat" }).waitFor();
    await page.reload();
    assertEquals(await settle(page), "Coat");
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

test("The playground is made for the model that is served", async (_t, browser) => {
  const file = await Deno.makeTempFile({ suffix: ".onnx" });
  await Deno.writeFile(file, tinyModel());
  await using server = await start([...MAIN, "--port=0"], { MODEL: file });
  await using view = await open(browser, `${server.url}/`);
  const { page } = view;
  assertEquals(await page.locator("#bars li span:first-child").allTextContents(), [
    "left",
    "middle",
    "<right>",
  ]);
  assertEquals(await page.locator("#samples").count(), 0);
  assertEquals(
    await page.locator("#input").evaluate((element) => {
      const { width, height } = element as HTMLCanvasElement;
      return [width, height];
    }),
    [3, 2],
  );
  await page.getByText("Draw here, or drop an image").waitFor();
  await page.getByLabel("Crop").uncheck();
  // The stage is a square and the input is not: what is on its right is in the last column.
  await draw(page, [[.9, .05], [.98, .05], [.98, .95], [.9, .95]]);
  await settle(page);
  await page.getByText("Both", { exact: true }).click();
  await page.locator("#where-text", { hasText: "The same label" }).waitFor();
  assertEquals(await findFaults(page), []);
  assertEquals(view.complaints, []);
  await Deno.remove(file);
});
