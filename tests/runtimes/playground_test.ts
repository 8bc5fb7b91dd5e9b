/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { createTestHarness } from "wrangler";
import { MAIN, start } from "./deno_server.ts";
import { tryAll } from "./playground.ts";
import { inTemporaryFolder } from "../helpers/temporary_folder.ts";
import { findFaults, open, png, settle, test, upload } from "./page_view.ts";

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
