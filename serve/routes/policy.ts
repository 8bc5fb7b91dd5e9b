/**
 * The Content-Security-Policy of pages that are whole in themselves.
 *
 * @module
 */

/**
 * Allows one style sheet, by its hash, and nothing else.
 *
 * @returns makes the header's value, once
 */
export function policyFor(style: string): () => Promise<string> {
  let policy: string | undefined;
  return async () => {
    if (policy) return policy;
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(style));
    policy = `default-src 'none'; style-src 'sha256-${new Uint8Array(digest).toBase64()}'; ` +
      "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    return policy;
  };
}
