/**
 * Reads the orientation from EXIF (CIPA DC-008, section 4.6.5) and applies it. Nothing else of EXIF is read.
 *
 * @module
 */
import type { Image } from "../image.ts";

const ORIENTATION = 0x0112;
const SHORT = 3;

/**
 * Reads the orientation out of a JPEG's APP1 segment.
 *
 * @returns 1..8 as EXIF counts them, or undefined if it is missing or invalid, which is no reason to
 * refuse an image
 */
export function readOrientation(segment: Uint8Array): number | undefined {
  if (String.fromCharCode(...segment.subarray(0, 6)) !== "Exif\0\0") return undefined;
  const view = new DataView(segment.buffer, segment.byteOffset + 6, segment.length - 6);
  if (view.byteLength < 8) return undefined;
  const order = view.getUint16(0);
  if (order !== 0x4949 && order !== 0x4d4d) return undefined;
  const little = order === 0x4949;
  const directory = view.getUint32(4, little);
  if (directory + 2 > view.byteLength) return undefined;
  const count = view.getUint16(directory, little);
  for (let i = 0, at = directory + 2; i < count && at + 12 <= view.byteLength; i++, at += 12) {
    if (view.getUint16(at, little) !== ORIENTATION) continue;
    const value = view.getUint16(at + 8, little);
    return view.getUint16(at + 2, little) === SHORT && value >= 1 && value <= 8 ? value : undefined;
  }
  return undefined;
}

/**
 * Turns a picture the right way up.
 *
 * @param orientation 1..8: where its first row and column belong, as EXIF counts them
 */
export function orient(image: Image, orientation: number): Image {
  if (orientation === 1) return image;
  const { width, height, channels, data } = image;
  const swaps = orientation >= 5;
  const across = swaps ? height : width, down = swaps ? width : height;
  // From the right way up to where it is stored.
  const fromRight = [2, 3, 7, 8].includes(orientation), fromBottom = [3, 4, 6, 7].includes(orientation);
  const turned = new Uint8Array(data.length);
  for (let y = 0, to = 0; y < down; y++) {
    for (let x = 0; x < across; x++) {
      const column = swaps ? y : x, row = swaps ? x : y;
      const from =
        ((fromBottom ? height - 1 - row : row) * width + (fromRight ? width - 1 - column : column)) *
        channels;
      for (let i = 0; i < channels; i++) turned[to++] = data[from + i]!;
    }
  }
  return { width: across, height: down, channels, data: turned };
}
