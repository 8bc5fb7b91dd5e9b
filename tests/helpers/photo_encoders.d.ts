import type { Image } from "../../shared/image.ts";

/** @param image with red, green, blue and alpha */
export function encodeJpeg(image: Image): Uint8Array<ArrayBuffer>;
/** @param image with red, green, blue and alpha */
export function encodeWebp(image: Image): Uint8Array<ArrayBuffer>;
