/**
 * Fashion-MNIST's images as photos that are not perfect: enlarged, a dark garment on a light grey ground, distorted.
 *
 * @module
 */
import { shortSideFor } from "../../shared/decode/limits.ts";
import { decodePicture } from "../../shared/decode/picture.ts";
import type { Image } from "../../shared/image.ts";
import { Random } from "../../shared/random.ts";
import { resizePlane } from "../../shared/resample.ts";
import { encodeJpeg } from "./picture_encoders.js";

/** Sides of the data set's images. */
const SIDE = 28;
/** Grey of the ground in the undistorted picture, 0..255. */
const GROUND = 235;

/** How a picture differs from the undistorted one. */
export interface Distortion {
  /** Pixels of the picture's longest side. */
  side?: number;
  /** Margin on each side as a part of the garment's box. */
  padding?: number;
  /** Degrees, clockwise. */
  rotation?: number;
  /** How much darker the picture is at its dark end, 0..1. */
  gradient?: number;
  /** Where the light is: from one side or corner, or the middle. */
  light?: "side" | "corner" | "middle";
  /** Standard deviation, of 255. */
  noise?: number;
  /** How many dark dots there are, and pixels of a side of each. */
  specks?: [count: number, side: number];
  /** How much darker the ground is in the garment's shadow, 0..1. */
  shadow?: number;
  /** JPEG quality, 1..100. */
  quality?: number;
}

const DEFAULT = { side: 224, padding: 0.12 };

/** The table's rows. */
export const DISTORTIONS: [name: string, Distortion][] = [
  ["none", {}],
  ...[0.1, 0.2, 0.3, 0.4].flatMap((gradient) =>
    (["side", "corner", "middle"] as const).map((light) =>
      [`gradient ${gradient * 100} % from the ${light}`, { gradient, light }] as [string, Distortion]
    )
  ),
  ...[2, 4, 8, 12, 20].map((noise) => [`noise σ = ${noise}`, { noise }] as [string, Distortion]),
  ...[[1, 1], [10, 1], [1, 3], [10, 3], [40, 2]].map((specks) =>
    [`${specks[0]} specks of ${specks[1]} px`, { specks: specks as [number, number] }] as [string, Distortion]
  ),
  ...[0.05, 0.1, 0.2, 0.3].map((shadow) => [`shadow ${shadow * 100} %`, { shadow }] as [string, Distortion]),
  ...[10, 20, 30, 50, 75, 95].map((quality) =>
    [`JPEG quality ${quality}`, { quality }] as [string, Distortion]
  ),
  ...[0, 0.02, 0.05, 0.25, 0.5, 1, 2].map((padding) =>
    [`padding ${padding * 100} %`, { padding }] as [string, Distortion]
  ),
  ...[32, 48, 64, 100, 400, 1000, 2000, 4000].map((side) => [`${side} px`, { side }] as [string, Distortion]),
  ["gradient 30 %, noise σ = 8, 5 specks", { gradient: 0.3, noise: 8, specks: [5, 2] }],
  ["gradient 20 %, shadow 10 %, JPEG quality 50", { gradient: 0.2, shadow: 0.1, quality: 50 }],
  ...[2, 5, 10, 15].map((rotation) => [`rotation ${rotation}°`, { rotation }] as [string, Distortion]),
];

/**
 * Draws one of the data set's images as a photo.
 *
 * @param garment `[28, 28]`, 0..255, bright on black
 */
export async function distort(garment: Uint8Array, distortion: Distortion, random: Random): Promise<Image> {
  const { side, padding } = { ...DEFAULT, ...distortion };
  const inner = Math.max(1, Math.round(side / (1 + 2 * padding)));
  const margin = (side - inner) >> 1;
  const large = resizePlane(garment, SIDE, { left: 0, top: 0, width: SIDE, height: SIDE }, {
    width: inner,
    height: inner,
  });
  let cover: Uint8Array = new Uint8Array(side * side);
  for (let y = 0; y < inner; y++) {
    cover.set(large.subarray(y * inner, (y + 1) * inner), (y + margin) * side + margin);
  }
  if (distortion.rotation) cover = rotate(cover, side, distortion.rotation);
  const light = illumination(side, distortion);
  const data = new Uint8Array(side * side);
  const shade = distortion.shadow ? shadowOf(cover, side) : undefined;
  const { shadow = 0, noise = 0 } = distortion;
  for (let y = 0, i = 0; y < side; y++) {
    for (let x = 0; x < side; x++, i++) {
      let value = GROUND * light(x, y) * (1 - cover[i]! / 255);
      if (shade) value *= 1 - shadow * shade[i]! / 255;
      if (noise) value += noise * normal(random);
      data[i] = Math.min(255, Math.max(0, Math.round(value)));
    }
  }
  const [count, dot] = distortion.specks ?? [0, 0];
  for (let k = 0; k < count; k++) {
    const left = random.below(side - dot + 1), top = random.below(side - dot + 1);
    for (let y = top; y < top + dot; y++) data.fill(0, y * side + left, y * side + left + dot);
  }
  const image: Image = { width: side, height: side, channels: 1, data };
  return distortion.quality ? await throughJpeg(image, distortion.quality) : image;
}

/** How light each pixel is, 0..1. */
function illumination(
  side: number,
  { gradient = 0, light = "side" }: Distortion,
): (x: number, y: number) => number {
  if (gradient === 0) return () => 1;
  switch (light) {
    case "side":
      return (x) => 1 - gradient * x / side;
    case "corner":
      return (x, y) => 1 - gradient * (x + y) / (2 * side);
    case "middle":
      return (x, y) => 1 - gradient * ((x / side - 0.5) ** 2 + (y / side - 0.5) ** 2) * 2;
  }
}

/** The garment's silhouette, moved down and to the right and blurred; 0..255 */
function shadowOf(cover: Uint8Array, side: number): Uint8Array {
  // Shrinking and enlarging blurs.
  const small = 32, whole = { left: 0, top: 0, width: side, height: side };
  const shape = cover.map((value) => value > 12 ? 255 : 0);
  const blurred = resizePlane(shape, side, whole, { width: small, height: small });
  const large = resizePlane(blurred, small, { left: 0, top: 0, width: small, height: small }, {
    width: side,
    height: side,
  });
  const by = Math.round(side * 0.04);
  const moved = new Uint8Array(side * side);
  for (let y = by; y < side; y++) {
    moved.set(large.subarray((y - by) * side, (y - by) * side + side - by), y * side + by);
  }
  return moved;
}

function rotate(plane: Uint8Array, side: number, degrees: number): Uint8Array {
  const cos = Math.cos(degrees * Math.PI / 180), sin = Math.sin(degrees * Math.PI / 180);
  const centre = (side - 1) / 2;
  const at = (x: number, y: number): number =>
    x >= 0 && y >= 0 && x < side && y < side ? plane[y * side + x]! : 0;
  return Uint8Array.from({ length: side * side }, (_, i) => {
    const dx = i % side - centre, dy = Math.floor(i / side) - centre;
    const x = cos * dx + sin * dy + centre, y = cos * dy - sin * dx + centre;
    const left = Math.floor(x), top = Math.floor(y), u = x - left, v = y - top;
    return Math.round(
      (1 - v) * ((1 - u) * at(left, top) + u * at(left + 1, top)) +
        v * ((1 - u) * at(left, top + 1) + u * at(left + 1, top + 1)),
    );
  });
}

/** A number from the standard normal distribution (Box and Muller). */
export function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random.uniform())) * Math.cos(2 * Math.PI * random.uniform());
}

async function throughJpeg({ width, height, data }: Image, quality: number): Promise<Image> {
  const rgba = Uint8Array.from({ length: 4 * data.length }, (_, i) => (i & 3) === 3 ? 255 : data[i >> 2]!);
  const file = await encodeJpeg({ width, height, data: rgba }, { quality });
  return await decodePicture(file, {
    maxPixels: width * height,
    shortSide: shortSideFor({ width: SIDE, height: SIDE }),
  });
}
