/**
 * Entity tags, by which clients ask whether what they have is still current (RFC 9110, section 8.8.3).
 *
 * @module
 */
import { sha256 } from "../shared/sha256.ts";

/** Makes a tag from content. It is weak, as the content may be compressed on its way. */
export async function tagOf(content: string | Uint8Array<ArrayBuffer>): Promise<string> {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  return `W/"${(await sha256(bytes)).slice(0, 16)}"`;
}

/** Whether the value of `If-None-Match` has a tag; the comparison is weak (RFC 9110, section 13.1.2). */
export function hasTag(ifNoneMatch: string | undefined, tag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  if (ifNoneMatch.trim() === "*") return true;
  const opaque = tag.replace(/^W\//, "");
  return ifNoneMatch.match(/"[^"]*"/g)?.includes(opaque) ?? false;
}
