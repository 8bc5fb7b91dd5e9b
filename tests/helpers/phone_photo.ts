/**
 * Pictures of the size that phones take.
 *
 * @module
 */
import { Random } from "../../shared/random.ts";
import { encodeJpeg, type Rgba } from "./picture_encoders.js";

/** The usual size: 12 megapixels. */
export const PHONE = { width: 4032, height: 3024 };

/**
 * Draws smooth waves of three colours, with a little noise, that differ in all four corners.
 *
 * @param object whether a black ellipse is before them; alone, they count as a background
 */
export function scene({ width, height }: { width: number; height: number }, object = false): Rgba {
  const random = new Random(1);
  const data = new Uint8Array(4 * width * height);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i += 4) {
      const noise = random.below(9);
      data[i] = 200 * x / width + 20 + noise;
      data[i + 1] = 200 * y / height + 20 + noise;
      data[i + 2] = 120 + 60 * Math.sin(20 * x / width) * Math.cos(15 * y / height) + noise;
      data[i + 3] = 255;
      if (object && Math.hypot(x / width - 0.5, y / height - 0.5) < 0.25) data.fill(noise, i, i + 3);
    }
  }
  return { width, height, data };
}

/** The scene as a JPEG of {@linkcode PHONE}'s size. */
export async function phonePhoto(
  { object = false, ...options }: { object?: boolean; [option: string]: unknown } = {},
): Promise<Uint8Array<ArrayBuffer>> {
  return await encodeJpeg(scene(PHONE, object), { progressive: false, quality: 85, ...options });
}
