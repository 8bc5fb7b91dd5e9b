/** A picture of red, green, blue and alpha. */
export interface Rgba {
  width: number;
  height: number;
  /** `[height, width, 4]`, 0..255 */
  data: Uint8Array;
}

/** @param options MozJPEG's, such as `progressive` and `quality` */
export function encodeJpeg(image: Rgba, options?: Record<string, unknown>): Promise<Uint8Array<ArrayBuffer>>;
/** @param options libwebp's, such as `lossless` (0 or 1) and `quality` */
export function encodeWebp(image: Rgba, options?: Record<string, unknown>): Promise<Uint8Array<ArrayBuffer>>;
