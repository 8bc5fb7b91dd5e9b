/// <reference lib="dom" />
import { Buffer } from "node:buffer";
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { hasChromium, startChromium, WITHOUT_CHROMIUM } from "./chromium.ts";
import { MAIN, start } from "./deno_server.ts";
import { png } from "./protocol_helpers.ts";

const KEY = "0123456789abcdef";
const NAME = "Each request can be tried on the page at /docs";

Deno.test({
  name: hasChromium() ? NAME : `${NAME} (${WITHOUT_CHROMIUM})`,
  ignore: !hasChromium(),
  fn: async () => {
    await using server = await start([...MAIN, "--port=0"], { API_KEYS: KEY });
    await using chromium = await startChromium();
    const page = await chromium.browser.newPage();
    const faults: string[] = [];
    page.on("pageerror", (error) => faults.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error" && !message.text().includes("401")) faults.push(message.text());
    });
    await page.goto(`${server.url}/docs`);
    const send = async (path: string, prepare?: () => Promise<void>): Promise<string> => {
      const form = page.locator(`form.try[data-path="${path}"]`);
      await form.evaluate((form) => form.closest("details")!.open = true);
      await prepare?.();
      await form.getByRole("button", { name: "Send" }).click();
      const output = form.locator("output");
      await output.filter({ hasText: /^\d{3} / }).waitFor();
      return await output.innerText();
    };
    assertMatch(await send("/livez"), /^200 OK, \d+ ms, application\/json\s+\{\s+"status": "ok"\s+\}/);
    assertMatch(await send("/v1/model"), /^401 /);
    await page.getByLabel("API key").fill(KEY);
    assertStringIncludes(await send("/v2"), '"name": "selvedge"');
    // The example bodies are accepted as they are.
    for (const path of ["/v1/classify", "/models/{model}", "/v2/models/{model}/infer"]) {
      assertMatch(await send(path), /^200 OK/, path);
    }
    const classify = page.locator('form.try[data-path="/v1/models/{model}/classify"]');
    const answer = await send("/v1/models/{model}/classify", async () => {
      await classify.getByLabel("top_k").fill("1");
      const file = { name: "box.png", mimeType: "image/png", buffer: Buffer.from(png(0)) };
      await classify.locator("input[type=file]").setInputFiles(file);
    });
    assertEquals(JSON.parse(answer.slice(answer.indexOf("{"))).predictions[0].top.length, 1);
    assertMatch(await send("/v1/model/file"), /^200 OK, \d+ ms, application\/octet-stream\s+\d{6,} bytes$/);
    assertEquals(faults, []);
    await page.getByRole("link", { name: "Home" }).click();
    assertEquals(new URL(page.url()).pathname, "/");
  },
});
