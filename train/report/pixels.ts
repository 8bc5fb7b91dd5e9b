/** Small images inside a picture: a PNG in a data URI, which any viewer of SVG shows. */
import { encode } from "fast-png";

/**
 * Puts pixels into a data URI.
 *
 * @param pixels `[height, width, channels]`, 0..255; 1 channel is grey, 3 are red, green, blue, 4 have an alpha
 */
export function dataUri(pixels: Uint8Array, width: number, height: number, channels: 1 | 3 | 4): string {
  return `data:image/png;base64,${encode({ width, height, channels, data: pixels }).toBase64()}`;
}
