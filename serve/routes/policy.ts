/**
 * The Content-Security-Policy of pages that load nothing from other servers.
 *
 * @module
 */
import { sha256Bytes } from "../../shared/sha256.ts";

/**
 * Allows one style sheet, by its hash, and the given directives; nothing else.
 *
 * @param allowed the value of each further directive
 * @returns a function that returns the header's value, computed once
 */
export function policyFor(style: string, allowed: Record<string, string> = {}): () => Promise<string> {
  let policy: string | undefined;
  return async () => {
    if (policy) return policy;
    policy = [
      "default-src 'none'",
      `style-src 'sha256-${(await sha256Bytes(style)).toBase64()}'`,
      ...Object.entries(allowed).map(([name, value]) => `${name} ${value}`),
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ].join("; ");
    return policy;
  };
}
