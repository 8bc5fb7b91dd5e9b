/**
 * Decodes JPEG files from untrusted sources. `jpeg_layout.ts` first checks the whole file and chooses the scale;
 * then one of two decoders in WebAssembly does the work: MozJPEG at full size, ImageScript's at 1/2, 1/4 or 1/8.
 * Sequential and progressive Huffman coding with 8 bits are supported, in grey or in colour. That covers the
 * JPEGs of cameras and web sites, but not CMYK, which browsers render differently.
 *
 * Cameras store pictures in the orientation of the sensor and record the rotation in EXIF, which is applied.
 *
 * @module
 */
import type { Image } from "../image.ts";
import { jpegWasm, makeJpegDecoder } from "./codecs.js";
import { broken, type JpegLayout, parseJpeg } from "./jpeg_layout.ts";
import { decodeReducedJpeg } from "./jpeg_reduced.ts";
import type { PictureLimits } from "./limits.ts";
import { orient } from "./orientation.ts";
import { Sandbox } from "./sandbox.ts";

const mozjpeg = new Sandbox("JPEG", makeJpegDecoder, jpegWasm);

/**
 * Decodes a JPEG.
 *
 * @param limits with `shortSide`, a large picture is decoded at reduced scale
 * @returns red, green, blue (and alpha at full size), or grey, the right way up
 * @throws {InputError} `invalid-format` if the bytes are not a JPEG file, or a broken or unsupported one
 * @throws {InputError} `too-large` if the decoded picture would have more pixels than allowed
 */
export async function decodeJpeg(bytes: Uint8Array, limits: PictureLimits): Promise<Image> {
  const layout = parseJpeg(bytes, limits);
  const image = layout.scale > 1
    ? await decodeReducedJpeg(bytes, layout, limits)
    : await decodeFull(bytes.subarray(0, layout.end), layout);
  // Where data is missing the decoders fill in grey, which would be classified as if it had been there.
  if (!image) throw broken("its data is corrupt");
  return orient(image, layout.orientation);
}

async function decodeFull(bytes: Uint8Array, { width, height }: JpegLayout): Promise<Image | undefined> {
  const decoded = await mozjpeg.decode(bytes, width * height, false);
  if (!decoded || decoded.width !== width || decoded.warnings.some(isSerious)) return undefined;
  return { width, height, channels: 4, data: decoded.data };
}

/** Cameras leave some stray bytes between segments; MozJPEG's other warnings mean missing pixels. */
function isSerious(warning: string): boolean {
  return /^Premature end|^Corrupt JPEG data: (?![0-9]+ extraneous)/.test(warning);
}
