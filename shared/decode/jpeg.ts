/**
 * Decodes JPEG files from untrusted sources. `jpeg_layout.ts` first checks the whole file and chooses the scale: full size,
 * 1/2, 1/4 or 1/8. Then libjpeg-turbo decodes it.
 *
 * Sequential and progressive Huffman coding with 8 bits are supported, in grey or in colour. That covers the
 * JPEGs of cameras and web sites, but not CMYK, which browsers render differently.
 *
 * Cameras store pictures in the orientation of the sensor and record the rotation in EXIF, which is applied.
 *
 * @module
 */
import { InputError } from "../errors.ts";
import type { Image } from "../image.ts";
import { toSingleScan } from "./jpeg_dc.ts";
import { broken, type JpegLayout, parseJpeg } from "./jpeg_layout.ts";
import { decodeScaled } from "./libjpeg.ts";
import type { PictureLimits } from "./limits.ts";
import { orient } from "./orientation.ts";

/** A coefficient takes 2 bytes, and a block has 64. */
const BLOCK_BYTES = 128;
/**
 * How much the coefficients of a file with several scans may take at reduced scale, as a factor of the pixels that a
 * picture may have. At full size they take 6 bytes a pixel, and the picture itself 3.
 */
const COEFFICIENT_BYTES_PER_PIXEL = 10;

/**
 * Decodes a JPEG.
 *
 * @param limits with `shortSide`, a large picture is decoded at reduced scale
 * @returns red, green and blue, or grey, the right way up
 * @throws {InputError} `invalid-format` if the bytes are not a JPEG file, or a broken or unsupported one
 * @throws {InputError} `too-large` if the decoded picture would have more pixels than allowed, or the file needs too much
 * memory
 */
export async function decodeJpeg(bytes: Uint8Array, limits: PictureLimits): Promise<Image> {
  const layout = parseJpeg(bytes, limits);
  const image = await decodeStored(bytes, layout, limits);
  // Where data is missing libjpeg-turbo fills in grey, which would be classified as if it had been there.
  if (!image) throw broken("its data is corrupt");
  return orient(image, layout.orientation);
}

async function decodeStored(
  bytes: Uint8Array,
  layout: JpegLayout,
  { maxPixels, turn }: PictureLimits,
): Promise<Image | undefined> {
  const { width, height, scale, multiScan, components, end } = layout;
  const picture = { width, height, scale, channels: components.length === 1 ? 1 : 3 } as const;
  if (multiScan && scale === 8) {
    const file = await toSingleScan(bytes, layout, turn);
    return file && await decodeScaled(file, { ...picture, coefficients: 0 }, turn);
  }
  const coefficients = multiScan ? coefficientBytes(layout, maxPixels) : 0;
  return await decodeScaled(bytes.subarray(0, end), { ...picture, coefficients }, turn);
}

function coefficientBytes({ scale, components }: JpegLayout, maxPixels: number): number {
  let size = 0;
  for (const { columns, rows, across, down } of components) {
    // The units at the right and at the bottom are whole.
    size += BLOCK_BYTES * Math.ceil(columns / across) * across * Math.ceil(rows / down) * down;
  }
  const most = COEFFICIENT_BYTES_PER_PIXEL * maxPixels;
  if (scale === 1 || size <= most) return size;
  throw new InputError(
    "too-large",
    `Cannot decode the JPEG as the coefficients of a file with several scans must take at most ${most} bytes: ` +
      `current value is ${size}`,
    { hint: "Send a smaller picture, or one that is not progressive" },
  );
}
