/**
 * The planes of a picture: one of grey, or three of red, green and blue.
 *
 * @module
 */
import { release } from "./release.ts";

/** A picture, row-major, 8 bits a channel. */
export interface Image {
  /** Pixels. */
  width: number;
  /** Pixels. */
  height: number;
  /** 1 is grey, 3 is red, green, blue, and 4 has an alpha that is not premultiplied. */
  channels: 1 | 3 | 4;
  /** `[height, width, channels]`, 0..255 */
  data: Uint8Array;
}

/**
 * Luma of a picture, as ITU-R BT.601 weighs it, which is what Pillow and torchvision call grey.
 *
 * @param backdrop the grey that shows where the picture is transparent, 0..255
 * @returns `[height, width]`, 0..255
 */
function toGrey({ channels, data }: Image, backdrop: number): Uint8Array {
  if (channels === 1) return data;
  const grey = new Uint8Array(data.length / channels);
  for (let i = 0, at = 0; i < grey.length; i++, at += channels) {
    const luma = 0.299 * data[at]! + 0.587 * data[at + 1]! + 0.114 * data[at + 2]!;
    const alpha = channels === 4 ? data[at + 3]! : 255;
    // Nearly all pixels of nearly all pictures are opaque.
    grey[i] = alpha === 255 ? luma + 0.5 : Math.round((luma * alpha + backdrop * (255 - alpha)) / 255);
  }
  return grey;
}

/** One plane of grey, or three of red, green and blue, each `[height, width]`, 0..255. */
export function toPlanes(image: Image, wanted: number, backdrop: number): Uint8Array[] {
  if (wanted === 1) return [toGrey(image, backdrop)];
  const { channels, data } = image;
  if (channels === 1) return [data, data, data];
  const planes = [0, 1, 2].map(() => new Uint8Array(data.length / channels));
  const [red, green, blue] = planes as [Uint8Array, Uint8Array, Uint8Array];
  for (let i = 0, at = 0; i < red.length; i++, at += channels) {
    const alpha = channels === 4 ? data[at + 3]! : 255;
    if (alpha === 255) {
      red[i] = data[at]!;
      green[i] = data[at + 1]!;
      blue[i] = data[at + 2]!;
    } else {
      for (let c = 0; c < 3; c++) {
        planes[c]![i] = Math.round((data[at + c]! * alpha + backdrop * (255 - alpha)) / 255);
      }
    }
  }
  return planes;
}

/** Hands the planes to a function and frees them: each has as many bytes as the picture has pixels. */
export function withPlanes<T>(
  image: Image,
  wanted: number,
  backdrop: number,
  use: (planes: Uint8Array[]) => T,
): T {
  const planes = toPlanes(image, wanted, backdrop);
  try {
    return use(planes);
  } finally {
    releasePlanes(planes, image);
  }
}

/** Frees planes, except one that the picture shares. */
export function releasePlanes(planes: Uint8Array[], image: Image): void {
  for (const plane of planes) if (plane !== image.data) release(plane as Uint8Array<ArrayBuffer>);
}
