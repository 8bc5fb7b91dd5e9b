/**
 * Checks of SVG files.
 *
 * @module
 */
import { assertEquals, assertNotMatch } from "@std/assert";

/** Checks that all elements are closed in order, which is what most damage to an SVG breaks. */
export function assertWellFormed(svg: string): void {
  const open: string[] = [];
  for (const [, end, name, , empty] of svg.matchAll(/<(\/?)([\w:]+)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>/g)) {
    if (end) assertEquals(open.pop(), name);
    else if (!empty) open.push(name!);
  }
  assertEquals(open, []);
  assertEquals(svg.replace(/<[^>]*>/g, "").match(/[<>]|&(?!amp;|lt;|gt;)/g), null, "text is escaped");
  // The base64 of an image can contain "NaN".
  assertNotMatch(svg.replace(/;base64,[^"]*/g, ""), /NaN|undefined|Infinity/);
}
