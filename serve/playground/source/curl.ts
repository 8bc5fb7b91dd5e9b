/**
 * The command that asks the server from a terminal.
 *
 * @module
 */
import type { ImageShape } from "../../../shared/contract.ts";

/** The arguments of a program may have 128 kB on Linux. */
const MAX_BASE64 = 100_000;

/** Whether an image of the model fits on a command line. */
export function fitsCommandLine({ channels, height, width }: ImageShape): boolean {
  return channels * height * width * 4 / 3 <= MAX_BASE64;
}

/**
 * Writes the command for some pixels.
 *
 * @param pixels `[C, H, W]`, 0..255
 */
export function curlFor(pixels: Uint8Array, origin: string, needsKey: boolean): string {
  const base64 = btoa(Array.from(pixels, (byte) => String.fromCharCode(byte)).join(""));
  const key = needsKey ? ` -H "authorization: Bearer $KEY"` : "";
  const call =
    `curl ${origin}/v1/classify${key} -H 'content-type: application/octet-stream' --data-binary @-`;
  return `base64 -d <<END | ${call}\n${base64}\nEND`;
}
