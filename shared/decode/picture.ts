/**
 * Decodes an image file of any supported format. The first bytes determine the format, not the content type, which
 * browsers derive from the file name.
 *
 * @module
 */
import { InputError } from "../errors.ts";
import type { Image } from "../image.ts";
import { decodeJpeg } from "./jpeg.ts";
import type { PictureLimits } from "./limits.ts";
import { decodePng } from "./png.ts";
import { decodeWebp } from "./webp.ts";

type Decode = (bytes: Uint8Array<ArrayBuffer>, limits: PictureLimits) => Image | Promise<Image>;

const KINDS: { mediaType: string; signature: RegExp; decode: Decode }[] = [
  { mediaType: "image/png", signature: /^\x89PNG/, decode: decodePng },
  { mediaType: "image/jpeg", signature: /^\xff\xd8/, decode: decodeJpeg },
  { mediaType: "image/webp", signature: /^RIFF.{4}WEBP/s, decode: decodeWebp },
];

/**
 * Formats that are recognised, to name them in the error, but not read. ISO base media files have a brand at byte 8.
 */
const OTHERS: { name: string; signature: RegExp }[] = [
  { name: "GIF", signature: /^GIF8[79]a/ },
  { name: "BMP", signature: /^BM.{4}\0{4}/s },
  { name: "TIFF", signature: /^(II\*\0|MM\0\*|II\+\0|MM\0\+)/ },
  { name: "AVIF", signature: /^.{4}ftypavi[fs]/s },
  { name: "HEIC", signature: /^.{4}ftyp(hei[cxms]|hev[cmsx]|mif1|msf1)/s },
  { name: "JPEG XL", signature: /^(\xff\n|\0{3}\fJXL )/ },
  { name: "SVG", signature: /^(\xef\xbb\xbf)?\s*<(svg|\?xml|!DOCTYPE svg|!--)/i },
];
const SIGNATURE_BYTES = 32;

/** The media types that are read. */
export const PICTURE_TYPES: readonly string[] = KINDS.map(({ mediaType }) => mediaType);

/**
 * Decodes a picture.
 *
 * @param mediaType the declared type: bytes of an unknown format are reported as a broken file of this type
 * @throws {InputError} `invalid-format` if the file is broken or of an unknown format, `unsupported` if it is of a
 * known format that is not read, or an animation
 * @throws {InputError} `too-large` if the picture has too many pixels, or needs too much memory
 */
export async function decodePicture(
  bytes: Uint8Array<ArrayBuffer>,
  limits: PictureLimits,
  mediaType?: string,
): Promise<Image> {
  const start = String.fromCharCode(...bytes.subarray(0, SIGNATURE_BYTES));
  const other = OTHERS.find(({ signature }) => signature.test(start));
  if (other) {
    throw new InputError(
      "unsupported",
      `Cannot decode the image as its format must be PNG, JPEG or WebP: current format is ${other.name}`,
    );
  }
  const kind = KINDS.find(({ signature }) => signature.test(start)) ??
    KINDS.find((kind) => kind.mediaType === mediaType);
  if (!kind) {
    throw new InputError("invalid-format", "Cannot decode the image as it must be a PNG, JPEG or WebP file");
  }
  return await kind.decode(bytes, limits);
}
