/**
 * Starts Debian's Chromium, for tests of pages.
 *
 * @module
 */
import { type Browser, chromium } from "playwright-core";

const PROGRAM = "/usr/bin/chromium";

/** Why there is no browser. */
export const WITHOUT_CHROMIUM = `not run: there is no ${PROGRAM}; Debian's chromium is enough`;

/** Whether there is one. */
export function hasChromium(): boolean {
  try {
    return Deno.statSync(PROGRAM).isFile;
  } catch {
    return false;
  }
}

/** Starts one with its own profile and a camera that shows a test picture. */
export async function startChromium(): Promise<AsyncDisposable & { browser: Browser }> {
  const browser = await chromium.launch({
    executablePath: PROGRAM,
    args: [
      "--headless",
      // CI runs as root, and what is looked at is our own.
      "--no-sandbox",
      "--disable-gpu",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--no-first-run",
      "--use-fake-device-for-media-stream",
      "--use-fake-ui-for-media-stream",
    ],
  });
  return { browser, [Symbol.asyncDispose]: () => browser.close() };
}
