/**
 * Helpers for tests of the HTTP application.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";

/** An image for models of 28×28 grey pixels, as raw bytes. */
export const PIXELS: Uint8Array<ArrayBuffer> = Uint8Array.from({ length: 784 }, (_, i) => i % 251);

/** Asserts that a response is a problem document (RFC 9457) of a status, and shows neither a stack nor a path. */
export async function assertProblem(response: Response, status: number, detail: string): Promise<void> {
  const text = await response.text();
  assertEquals(response.status, status, text);
  assertEquals(response.headers.get("content-type"), "application/problem+json");
  const problem = JSON.parse(text);
  assertEquals(Object.keys(problem), ["type", "title", "status", "detail"]);
  assertEquals(problem.type, "about:blank");
  assertEquals(problem.status, status);
  assertStringIncludes(problem.detail, detail);
  assert(!/\n\s+at |file:|\.ts\b|\.js\b/.test(text), `a stack or a path in ${text}`);
}
