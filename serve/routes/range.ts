/**
 * Parts of a file (RFC 9110, section 14), so that an interrupted download can be continued.
 *
 * @module
 */
import type { Context } from "hono";
import type { AppEnv } from "../context.ts";
import { hasTag } from "../entity_tag.ts";
import { Problem } from "../problem.ts";

/** Bytes of a file, from `start` up to but not including `end`. */
export interface ByteRange {
  start: number;
  end: number;
}

/**
 * Reads the range that a request asks for.
 *
 * @param size bytes of the file, at least 1
 * @param tag the file's entity tag, a strong one
 * @returns undefined for the whole file: there is no range, more than one, the client has a part of another file, or
 * all of this one
 * @throws {Problem} 416 if the file has none of the bytes
 */
export function requestedRange(c: Context<AppEnv>, size: number, tag: string): ByteRange | undefined {
  const [, first, last] = /^bytes=(\d{0,15})-(\d{0,15})$/i.exec(c.req.header("range") ?? "") ?? [];
  const condition = c.req.header("if-range") ?? tag;
  if (first === undefined || (first === "" && last === "") || c.req.method !== "GET" || condition !== tag) {
    return undefined;
  }
  // The answer is 304 (RFC 9110, section 13.2.2).
  if (hasTag(c.req.header("if-none-match"), tag)) return undefined;
  const start = first === "" ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === "" || last === "" ? size : Math.min(size, Number(last) + 1);
  // A last byte before the first makes the header invalid, and it is then ignored.
  if (first !== "" && last !== "" && Number(last) < start) return undefined;
  if (start >= size) {
    throw new Problem(416, `Cannot send the range as the file has ${size} bytes`, {
      "content-range": `bytes */${size}`,
    });
  }
  return { start, end };
}
