import { assertEquals, assertRejects } from "@std/assert";
import { decodePicture } from "../../shared/decode/picture.ts";
import { InputError } from "../../shared/errors.ts";
import { jpegOfScans, type ScansRecipe } from "../bench/costly_jpeg.ts";

const LIMITS = { maxPixels: 1_000_000, shortSide: 256 };
const RECIPE: ScansRecipe = {
  size: { width: 16, height: 16 },
  components: 1,
  progressive: true,
  coefficients: 20,
  scans: 2,
};

/** Puts scans before the end of a file. */
function withScans(file: Uint8Array, scans: number[][]): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(...file.subarray(0, -2), ...scans.flat(), ...file.subarray(-2));
}

Deno.test("decodePicture() reads a coefficient in five scans, of either kind, at any scale", async () => {
  for (const side of [16, 600, 2048]) {
    for (const refined of ["dc", "ac"] as const) {
      const recipe = { ...RECIPE, size: { width: side, height: side }, refined };
      const limits = { ...LIMITS, maxPixels: 1_000_000 };
      const { width } = await decodePicture(jpegOfScans({ ...recipe, scans: 6 }), limits);
      assertEquals(width, side < 512 ? side : side < 1024 ? side / 2 : side / 8);
      await assertRejects(
        () => decodePicture(jpegOfScans({ ...recipe, scans: 7 }), limits),
        InputError,
        "a coefficient is in more than 5 scans",
      );
    }
  }
});

Deno.test("decodePicture() refuses a sequential JPEG whose component comes twice", async () => {
  const file = jpegOfScans({ ...RECIPE, progressive: false });
  await decodePicture(file, LIMITS);
  const start = file.findIndex((byte, i) => byte === 0xff && file[i + 1] === 0xda);
  await assertRejects(
    () => decodePicture(withScans(file, [[...file.subarray(start, -2)]]), LIMITS),
    InputError,
    "a coefficient is in more than 1 scan",
  );
});

Deno.test("decodePicture() refuses many scans of one coefficient each", async () => {
  // The code of an end of four blocks, 10010, its two bits 00, and a bit to correct the coefficient of each.
  const scanOf = (coefficient: number): number[] => [
    ...[0xff, 0xda, 0, 8, 1, 1, 0, coefficient, coefficient, 0x10],
    ...[0b10010001, 0b11100000],
  ];
  const file = jpegOfScans(RECIPE);
  const scans = (count: number): number[][] => Array.from({ length: count }, (_, i) => scanOf(i + 1));
  await decodePicture(withScans(file, scans(30)), LIMITS);
  await assertRejects(
    () => decodePicture(withScans(file, scans(31)), LIMITS),
    InputError,
    "more than 32 scans",
  );
});
