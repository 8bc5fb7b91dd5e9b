/**
 * The call that asks the server from a terminal.
 *
 * @module
 */

/** Arguments of a program end at 128 kB on Linux. */
const LONGEST = 100_000;

/**
 * Writes the call for some pixels.
 *
 * @param pixels `[C, H, W]`, 0..255
 */
export function curlFor(pixels: Uint8Array, origin: string, needsKey: boolean): string {
  const base64 = btoa(Array.from(pixels, (byte) => String.fromCharCode(byte)).join(""));
  const key = needsKey ? ` -H "authorization: Bearer $KEY"` : "";
  const call =
    `curl ${origin}/v1/classify${key} -H 'content-type: application/octet-stream' --data-binary @-`;
  if (base64.length > LONGEST) {
    return `# the ${pixels.length} bytes are too many for a command line: put them into pixels.bin\n${
      call.replace("@-", "@pixels.bin")
    }`;
  }
  return `base64 -d <<END | ${call}\n${base64}\nEND`;
}
