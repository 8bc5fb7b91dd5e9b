/**
 * SHA-256, by the platform's own implementation.
 *
 * @module
 */

/**
 * Hashes bytes.
 *
 * @param parts hashed as if they were one array
 * @returns 64 lower-case hexadecimal digits
 */
export async function sha256(...parts: Uint8Array<ArrayBuffer>[]): Promise<string> {
  const whole = parts.length === 1 ? parts[0]! : new Uint8Array(await new Blob(parts).arrayBuffer());
  return (await sha256Bytes(whole)).toHex();
}

/**
 * Hashes bytes, or the UTF-8 of a text.
 *
 * @returns `[32]`
 */
export async function sha256Bytes(data: Uint8Array<ArrayBuffer> | string): Promise<Uint8Array> {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}
