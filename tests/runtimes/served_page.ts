/**
 * The page of a server that has a model of the test.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import type { Browser } from "playwright-core";
import { MAIN, start } from "./deno_server.ts";
import { open, type View } from "./page_view.ts";

/** Serves a model and opens its page. */
export async function withPage(
  browser: Browser,
  model: Uint8Array<ArrayBuffer>,
  use: (view: View, url: string) => Promise<void>,
): Promise<void> {
  const file = await Deno.makeTempFile({ suffix: ".onnx" });
  try {
    await Deno.writeFile(file, model);
    await using server = await start([...MAIN, "--port=0"], { MODEL: file });
    await using view = await open(browser, `${server.url}/`);
    await use(view, server.url);
    assertEquals(view.complaints, [], "the console is quiet");
  } finally {
    await Deno.remove(file);
  }
}
