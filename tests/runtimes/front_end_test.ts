/// <reference lib="dom" />
import { assert, assertEquals, assertLessOrEqual, assertMatch } from "@std/assert";
import { Buffer } from "node:buffer";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { MAIN, start } from "./deno_server.ts";
import { open, png, settle, test, upload } from "./page_view.ts";

const GUIDE = await Deno.readTextFile(new URL("../../docs/front-end.md", import.meta.url));
const PAGES = [...GUIDE.matchAll(/```html\n([^]*?)```/g)].map(([, page]) => page!);
const KEY = "a-key-of-the-tests-1234";

/** Pages of another origin: a page for each path. */
function serveElsewhere(pages: Record<string, string>): AsyncDisposable & { origin: string } {
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
    const page = pages[new URL(request.url).pathname];
    return new Response(page ?? null, { status: page ? 200 : 404, headers: { "content-type": "text/html" } });
  });
  return {
    origin: `http://127.0.0.1:${server.addr.port}`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

async function openPage(browser: Browser, url: string): Promise<AsyncDisposable & { page: Page }> {
  const context: BrowserContext = await browser.newContext();
  const page = await context.newPage();
  await page.goto(url);
  return { page, [Symbol.asyncDispose]: () => context.close() };
}

async function answerOf(
  url: string,
  body: Uint8Array<ArrayBuffer>,
): Promise<{ label: string; score: number }> {
  const response = await fetch(`${url}/v1/classify`, {
    method: "POST",
    headers: { "content-type": "image/png", authorization: `Bearer ${KEY}` },
    body,
  });
  return (await response.json()).predictions[0];
}

test("The pages of docs/front-end.md work from another origin, in 20 lines each", async (t, browser) => {
  const pages: Record<string, string> = {};
  await using elsewhere = serveElsewhere(pages);
  await using server = await start([...MAIN, "--port=0"], { CORS_ORIGINS: elsewhere.origin });
  assertEquals(PAGES.length, 2);
  for (const [i, source] of PAGES.entries()) {
    await t.step(i === 0 ? "on the server" : "in the browser", async () => {
      assertLessOrEqual(source.trimEnd().split("\n").length, 20);
      pages[`/${i}`] = source.replace("http://127.0.0.1:8000", server.url);
      await using view = await openPage(browser, `${elsewhere.origin}/${i}`);
      const { page } = view;
      const output = page.locator("output");
      if (i === 1) await output.filter({ hasText: "Ready" }).waitFor();
      for (const [classIndex, seed] of [[8, 6], [5, 2]] as const) {
        const body = png(classIndex, seed);
        const { label, score } = await answerOf(server.url, body);
        await page.setInputFiles("input", {
          name: "a.png",
          mimeType: "image/png",
          buffer: Buffer.from(body),
        });
        await output.filter({ hasText: `${label}, ${(100 * score).toFixed(1)} %` }).waitFor();
      }
      const broken = { name: "b.png", mimeType: "image/png", buffer: Buffer.from([1, 2, 3]) };
      await page.setInputFiles("input", broken);
      await output.filter({ hasText: /cannot|Cannot/ }).waitFor();
    });
  }
});

test(
  "A server without CORS_ORIGINS refuses pages of other origins, and its page says how to allow them",
  async (_t, browser) => {
    const pages: Record<string, string> = {};
    await using elsewhere = serveElsewhere(pages);
    await using server = await start([...MAIN, "--port=0"]);
    pages["/"] = PAGES[0]!.replace("http://127.0.0.1:8000", server.url);
    await using view = await openPage(browser, elsewhere.origin);
    const body = png(8, 6);
    await view.page.setInputFiles("input", {
      name: "a.png",
      mimeType: "image/png",
      buffer: Buffer.from(body),
    });
    await view.page.locator("output", { hasText: "Failed to fetch" }).waitFor();
    await view.page.goto(server.url);
    await view.page.getByText("CORS_ORIGINS=https://your-site.example").waitFor();
  },
);

/** The code of the page, by language. */
async function codeOf(page: Page): Promise<Record<string, string>> {
  const shown: Record<string, string> = {};
  for (const [language, name] of [["fetch", "fetch"], ["curl", "curl"], ["python", "Python"]] as const) {
    await page.locator("#languages").getByText(name, { exact: true }).click();
    assertEquals(await page.locator("#code pre:visible").count(), 1);
    shown[language] = await page.locator(`#code-${language} code`).innerText();
  }
  return shown;
}

/** Runs a program of this machine in a folder. */
async function runIn(cwd: string, program: string, code: string): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args: ["-c", code],
    cwd,
    env: { KEY },
  }).output();
  const text = new TextDecoder();
  assert(success, text.decode(stderr));
  return text.decode(stdout);
}

const hasPython = await new Deno.Command("python3", { args: ["--version"], stdout: "null", stderr: "null" })
  .output().then(({ success }) => success, () => false);

for (const needsKey of [false, true]) {
  test(
    `The code on the page runs as it is shown, ${needsKey ? "with" : "without"} an API key`,
    async (t, browser) => {
      await using elsewhere = serveElsewhere({
        "/": "<!DOCTYPE html><title>Elsewhere</title><input type=file>",
      });
      await using server = await start([...MAIN, "--port=0"], {
        CORS_ORIGINS: elsewhere.origin,
        ...(needsKey && { API_KEYS: KEY }),
      });
      await using view = await open(browser, `${server.url}/`);
      const { page } = view;
      if (needsKey) {
        await page.getByLabel("This server requires an API key.").fill(KEY);
        await page.keyboard.press("Enter");
      }
      const first = await settle(page);
      const folder = await Deno.makeTempDir();
      try {
        // An example that is saved, and a file of one's own with a name that shells mind.
        for (const name of [undefined, 'my "best" shoe\'s photo.png']) {
          if (name) {
            await upload(page, name, png(7, 3));
            await page.locator("#file-name", { hasText: name }).waitFor();
          }
          const expected = name ? await settle(page) : first;
          const [download] = await Promise.all([
            page.waitForEvent("download"),
            page.getByRole("button", { name: "Save the picture" }).click(),
          ]);
          const fileName = name ?? (await page.locator("#file-name").textContent())!;
          // Browsers replace some characters in the names of downloads.
          if (!name) assertEquals(download.suggestedFilename(), fileName);
          const file = `${folder}/${fileName}`;
          await download.saveAs(file);
          const code = await codeOf(page);
          const step = name ? "a file of one's own" : "an example";
          await t.step(`curl: ${step}`, async () => {
            const answer = await runIn(folder, "sh", code["curl"]!.replace("curl ", "curl -s "));
            assertEquals(JSON.parse(answer).predictions[0].label, expected);
          });
          await t.step({
            name: `Python: ${step}${hasPython ? "" : " (ignored: there is no python3)"}`,
            ignore: !hasPython,
            fn: async () =>
              assertMatch(await runIn(folder, "python3", code["python"]!), new RegExp(`^${expected} 0\\.`)),
          });
          await t.step(`fetch, in a page of another origin: ${step}`, async () => {
            await using other = await openPage(browser, elsewhere.origin);
            other.page.on("dialog", (dialog) => dialog.accept(KEY));
            await other.page.setInputFiles("input", file);
            const logged = other.page.waitForEvent("console");
            await other.page.evaluate(`(async () => {${code["fetch"]}})()`);
            assertMatch((await logged).text(), new RegExp(`^${expected} 0\\.`));
          });
        }
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  );
}
