/**
 * The Content-Security-Policy of pages that are whole in themselves.
 *
 * @module
 */

/**
 * Allows one style sheet, by its hash, and what is said of other directives; nothing else.
 *
 * @param allowed values by the names of directives
 * @returns makes the header's value, once
 */
export function policyFor(style: string, allowed: Record<string, string> = {}): () => Promise<string> {
  let policy: string | undefined;
  return async () => {
    if (policy) return policy;
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(style));
    policy = [
      "default-src 'none'",
      `style-src 'sha256-${new Uint8Array(digest).toBase64()}'`,
      ...Object.entries(allowed).map(([name, value]) => `${name} ${value}`),
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ].join("; ");
    return policy;
  };
}
