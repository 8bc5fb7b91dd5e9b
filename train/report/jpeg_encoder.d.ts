/**
 * Encodes a picture as JPEG.
 *
 * @param image `data` is `[height, width, 4]`: red, green, blue and an alpha that is ignored
 */
export function encodeJpeg(
  image: { data: Uint8Array; width: number; height: number },
): Uint8Array<ArrayBuffer>;
