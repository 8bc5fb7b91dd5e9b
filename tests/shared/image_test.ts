import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { sha256 } from "../../shared/sha256.ts";
import {
  EARLIER_PREPROCESSINGS,
  fitImage,
  hasContent,
  type Image,
  PHOTO_FITS,
  type Preprocessing,
  PREPROCESSINGS,
} from "../../shared/image.ts";
import { InputError } from "../../shared/errors.ts";

const SIZE = { width: 28, height: 28 };

/** A grey picture with one rectangle on it. */
function picture(
  width: number,
  height: number,
  background: number,
  box: { left: number; top: number; width: number; height: number; value: number },
): Image {
  const data = new Uint8Array(width * height).fill(background);
  for (let y = box.top; y < box.top + box.height; y++) {
    data.fill(box.value, y * width + box.left, y * width + box.left + box.width);
  }
  return { width, height, channels: 1, data };
}

/** The same picture with more channels. */
function coloured({ width, height, data }: Image, colour: (grey: number) => number[]): Image {
  const pixels = Uint8Array.from([...data].flatMap(colour));
  return { width, height, channels: pixels.length / data.length as 3 | 4, data: pixels };
}

/** Rows of characters: `#` is 255, `.` is 0, others are `?`. */
function sketch(pixels: Uint8Array, width: number): string[] {
  const text = Array.from(pixels, (value) => value === 255 ? "#" : value === 0 ? "." : "?").join("");
  return text.match(new RegExp(`.{${width}}`, "g"))!;
}

Deno.test("fitImage() takes a picture of the model's size as it is", () => {
  const image = picture(28, 28, 250, { left: 3, top: 9, width: 5, height: 2, value: 17 });
  assertStrictEquals(fitImage(image, SIZE), image.data);
  assertEquals(fitImage(coloured(image, (grey) => [grey, grey, grey]), SIZE), image.data);
  assertEquals(fitImage(coloured(image, (grey) => [grey, grey, grey, 255]), SIZE), image.data);
});

Deno.test("fitImage() shows black where a picture of the model's size is transparent", () => {
  const image: Image = { width: 1, height: 1, channels: 4, data: Uint8Array.of(255, 255, 255, 51) };
  assertEquals([...fitImage(image, { width: 1, height: 1 })], [51]);
});

Deno.test("fitImage() weighs colours as BT.601 does", () => {
  const image: Image = {
    width: 3,
    height: 1,
    channels: 3,
    data: Uint8Array.of(255, 0, 0, 0, 255, 0, 0, 0, 255),
  };
  assertEquals([...fitImage(image, { width: 3, height: 1 })], [76, 150, 29]);
});

Deno.test("fitImage() trims, fills the longest side and centres", () => {
  // Twice as high as wide, in a corner of a wide picture.
  const image = picture(200, 100, 0, { left: 150, top: 10, width: 30, height: 60, value: 255 });
  const rows = sketch(fitImage(image, SIZE), 28);
  assertEquals(rows, Array(28).fill(`${".".repeat(7)}${"#".repeat(14)}${".".repeat(7)}`));
});

Deno.test("fitImage() turns dark things on a light background to light things on black", () => {
  const box = { left: 20, top: 40, width: 60, height: 30 };
  const light = fitImage(picture(100, 100, 255, { ...box, value: 55 }), SIZE);
  const dark = fitImage(picture(100, 100, 0, { ...box, value: 200 }), SIZE);
  assertEquals(light, dark);
  assertEquals(new Set(light), new Set([0, 200]));
});

Deno.test("fitImage() keeps what is lighter than a light background", () => {
  const pixels = fitImage(
    picture(100, 50, 200, { left: 10, top: 10, width: 50, height: 20, value: 255 }),
    SIZE,
  );
  assertEquals(Math.max(...pixels), Math.round(55 * 255 / 200));
});

Deno.test("fitImage() ignores a background that is 5 % uneven", () => {
  const image = picture(90, 90, 255, { left: 30, top: 30, width: 30, height: 30, value: 0 });
  for (let i = 0; i < image.data.length; i += 7) if (image.data[i] === 255) image.data[i] = 243;
  assertEquals(sketch(fitImage(image, SIZE), 28), Array(28).fill("#".repeat(28)));
});

Deno.test("fitImage() shows transparency as white, or as black if the rest is white", () => {
  const image = picture(60, 60, 0, { left: 10, top: 20, width: 40, height: 20, value: 1 });
  const drawn = (value: number): Image =>
    coloured(image, (inside) => inside ? [value, value, value, 255] : [9, 99, 199, 0]);
  const rows = [
    ...Array(7).fill(".".repeat(28)),
    ...Array(14).fill("#".repeat(28)),
    ...Array(7).fill(".".repeat(28)),
  ];
  assertEquals(sketch(fitImage(drawn(0), SIZE), 28), rows);
  assertEquals(sketch(fitImage(drawn(255), SIZE), 28), rows);
});

Deno.test("fitImage() averages areas when it shrinks", () => {
  // A board of one-pixel squares inside a frame that keeps it from being trimmed differently.
  const data = Uint8Array.from({ length: 56 * 56 }, (_, i) => (i + Math.floor(i / 56)) % 2 ? 200 : 0);
  const image = picture(58, 58, 0, { left: 0, top: 0, width: 0, height: 0, value: 0 });
  for (let y = 0; y < 56; y++) image.data.set(data.subarray(y * 56, y * 56 + 56), (y + 1) * 58 + 1);
  assertEquals(new Set(fitImage(image, SIZE)), new Set([100]));
});

Deno.test("fitImage() interpolates when it grows", () => {
  const image: Image = {
    width: 4,
    height: 3,
    channels: 1,
    data: Uint8Array.of(0, 0, 0, 0, 0, 255, 51, 0, 0, 0, 0, 0),
  };
  const row = [...fitImage(image, { width: 8, height: 4 })].slice(0, 8);
  assertEquals(row, [255, 255, 230, 179, 128, 77, 51, 51]);
});

Deno.test("fitImage() gives black for a blank picture", () => {
  for (const value of [0, 128, 255]) {
    for (const [width, height] of [[1, 1], [1, 500], [64, 64]] as const) {
      const blank = picture(width, height, value, { left: 0, top: 0, width: 0, height: 0, value: 0 });
      assertEquals(fitImage(blank, SIZE), new Uint8Array(784));
    }
  }
});

Deno.test("hasContent() is false for one colour only", () => {
  assertEquals(hasContent(new Uint8Array(784), 1), false);
  assertEquals(hasContent(Uint8Array.of(9, 9, 7, 7, 8, 8), 3), false);
  assertEquals(hasContent(Uint8Array.of(9, 9, 7, 7, 8, 9), 3), true);
  assertEquals(hasContent(Uint8Array.of(9, 9, 7, 7, 8, 8), 1), true);
});

Deno.test("fitImage() keeps a line of one pixel visible", () => {
  const rows = sketch(
    fitImage(picture(2000, 9, 0, { left: 2, top: 4, width: 1990, height: 1, value: 255 }), SIZE),
    28,
  );
  assertEquals(rows.filter((row) => row === "#".repeat(28)).length, 1);
});

Deno.test("fitImage() gives the wanted size for any picture", () => {
  const images = fc.record({
    width: fc.integer({ min: 1, max: 60 }),
    height: fc.integer({ min: 1, max: 60 }),
    channels: fc.constantFrom(1 as const, 3 as const, 4 as const),
    noise: fc.uint8Array({ minLength: 1, maxLength: 32 }),
  }).map(({ noise, ...image }) => ({
    ...image,
    data: Uint8Array.from(
      { length: image.width * image.height * image.channels },
      (_, i) => noise[i * 31 % noise.length]!,
    ),
  }));
  const side = fc.integer({ min: 1, max: 40 });
  fc.assert(fc.property(images, side, side, (image, width, height) => {
    const copy = image.data.slice();
    assertEquals(fitImage(image, { width, height }).length, width * height);
    assertEquals(image.data, copy, "the picture must not change");
  }));
});

Deno.test("fitImage() does not care for margins, scale or position", () => {
  const base = fitImage(picture(100, 100, 0, { left: 20, top: 20, width: 28, height: 56, value: 180 }), SIZE);
  const moved = fitImage(
    picture(300, 200, 0, { left: 200, top: 1, width: 84, height: 168, value: 180 }),
    SIZE,
  );
  assertEquals(moved, base);
  assert(base.some((value) => value === 180));
});

Deno.test("fitImage() rejects data that does not fill the sides", () => {
  const image: Image = { width: 2, height: 2, channels: 3, data: new Uint8Array(11) };
  assertThrows(
    () => fitImage(image, SIZE),
    InputError,
    "2x2 with 3 channels needs 12 bytes: current length is 11",
  );
  assertThrows(
    () => fitImage({ ...image, width: 0 }, SIZE),
    InputError,
    "sides must be positive integers: current size is 0x2",
  );
});

/** A picture of one colour with a rectangle of another. */
function twoColours(
  background: [number, number, number],
  colour: [number, number, number],
  channels: 3 | 4 = 3,
): Image {
  const grey = picture(60, 40, 0, { left: 10, top: 5, width: 20, height: 10, value: 1 });
  return coloured(grey, (inside) => [...(inside ? colour : background), ...(channels === 4 ? [255] : [])]);
}

Deno.test("fitImage() keeps colours and their background, one plane after the other", () => {
  for (const channels of [3, 4] as const) {
    const image = twoColours([250, 240, 230], [255, 0, 9], channels);
    const fitted = fitImage(image, { width: 8, height: 8, channels: 3 });
    const plane = (inside: number, outside: number): number[] =>
      Array.from({ length: 64 }, (_, i) => i >= 16 && i < 48 ? inside : outside);
    assertEquals([...fitted], [...plane(255, 250), ...plane(0, 240), ...plane(9, 230)]);
  }
});

Deno.test("fitImage() sees in colour what is the same grey as its background", () => {
  const image = twoColours([255, 0, 0], [0, 130, 0]);
  assertEquals(new Set(fitImage(image, { width: 8, height: 8 })), new Set([0]));
  const fitted = fitImage(image, { width: 8, height: 8, channels: 3 });
  assertEquals([fitted[27], fitted[64 + 27], fitted[128 + 27]], [0, 130, 0]);
  assertEquals([fitted[0], fitted[64], fitted[128]], [255, 0, 0]);
});

Deno.test("fitImage() gives a blank picture its own colour", () => {
  const image = twoColours([9, 99, 199], [9, 99, 199]);
  assertEquals([...fitImage(image, { width: 1, height: 2, channels: 3 })], [9, 9, 99, 99, 199, 199]);
});

Deno.test("fitImage() turns a picture of the model's size into planes, and transparency to black", () => {
  const grey: Image = { width: 2, height: 1, channels: 1, data: Uint8Array.of(7, 8) };
  assertEquals([...fitImage(grey, { width: 2, height: 1, channels: 3 })], [7, 8, 7, 8, 7, 8]);
  const clear: Image = { width: 1, height: 1, channels: 4, data: Uint8Array.of(255, 100, 0, 51) };
  assertEquals([...fitImage(clear, { width: 1, height: 1, channels: 3 })], [51, 20, 0]);
});

Deno.test("fitImage() gives grey pictures the same planes in colour, on their own background", () => {
  const box = { left: 20, top: 10, width: 30, height: 60, value: 180 };
  const grey = picture(100, 100, 0, box);
  const planes = fitImage(grey, { ...SIZE, channels: 3 });
  const trimmed = fitImage(grey, SIZE);
  for (let c = 0; c < 3; c++) assertEquals(planes.subarray(c * 784, (c + 1) * 784), trimmed);
});

Deno.test("fitImage() knows one and three channels only", () => {
  const image = picture(9, 9, 0, { left: 1, top: 1, width: 1, height: 1, value: 9 });
  assertThrows(
    () => fitImage(image, { ...SIZE, channels: 2 }),
    InputError,
    "must become 1 or 3: current value is 2",
  );
});

Deno.test("fitImage() gives for each name of a preprocessing what it always gave", async () => {
  // A model that names it was trained on just these pixels: a change to them needs a new version in the name.
  const data = Uint8Array.from({ length: 61 * 47 * 4 }, (_, i) => {
    const [x, y, c] = [(i >> 2) % 61, Math.floor(i / 244), i & 3];
    const inside = x > 11 && x < 50 && y > 6 && y < 40;
    return c === 3 ? (y % 9 === 0 ? 200 : 255) : inside ? (x * 37 + y * 59 + c * 83) & 255 : 236 + c;
  });
  const image: Image = { width: 61, height: 47, channels: 4, data };
  const known: Record<string, string> = {
    "grey-on-black-1": "b03d52269200213d",
    "rgb-on-own-background-1": "8e20cf0156d0c57d",
    "grey-on-black-2": "b03d52269200213d",
    "rgb-on-own-background-2": "8e20cf0156d0c57d",
    "rgb-pad-1": "e30684942242ddfa",
    "rgb-squash-1": "d8226fb02a663a98",
    "rgb-centre-crop-1": "d406c13d2e506fa8",
  };
  for (const names of [PREPROCESSINGS, EARLIER_PREPROCESSINGS]) {
    for (const channels of [1, 3] as const) {
      const preprocessing = names[channels];
      const pixels = new Uint8Array(fitImage(image, { ...SIZE, channels, preprocessing }));
      assertEquals((await sha256(pixels)).slice(0, 16), known[preprocessing], preprocessing);
    }
  }
  // A picture that is larger, unevenly lit and noisy tells the versions apart.
  const lit: Image = {
    width: 300,
    height: 200,
    channels: 3,
    data: Uint8Array.from({ length: 180_000 }, (_, i) => {
      const x = Math.floor(i / 3) % 300, y = Math.floor(i / 900), c = i % 3;
      const isInside = x > 99 && x < 220 && y > 40 && y < 180;
      return (isInside ? 60 + 40 * c : 230 - x / 4) + (x * 37 + y * 59 + c * 83 + x * y) % 9;
    }),
  };
  for (const channels of [1, 3] as const) {
    const pixels = new Uint8Array(fitImage(lit, { ...SIZE, channels }));
    assertEquals(
      (await sha256(pixels)).slice(0, 16),
      { 1: "39d0240df3a37001", 3: "593dfc81bf6998eb" }[channels],
      "lit",
    );
  }
  for (const preprocessing of Object.values(PHOTO_FITS)) {
    const pixels = new Uint8Array(fitImage(image, { ...SIZE, channels: 3, preprocessing }));
    assertEquals((await sha256(pixels)).slice(0, 16), known[preprocessing], preprocessing);
  }
});

Deno.test("fitImage() crops the centre of a photograph, squashes it or pads it with its background", () => {
  // Columns of grey 0, 10, 20, …: what is left of them says which part of the picture is seen.
  const image: Image = {
    width: 16,
    height: 8,
    channels: 1,
    data: Uint8Array.from({ length: 128 }, (_, i) => (i % 16) * 10),
  };
  const row = (preprocessing: Preprocessing, y: number): number[] => [
    ...fitImage(image, { width: 4, height: 4, channels: 3, preprocessing }).subarray(4 * y, 4 * y + 4),
  ];
  assertEquals(row("rgb-squash-1", 0), [15, 55, 95, 135]);
  // 7 of 8 rows, and as many columns, from column 4 on.
  assertEquals(row("rgb-centre-crop-1", 0), row("rgb-centre-crop-1", 3));
  assertEquals(row("rgb-centre-crop-1", 0).map((value) => Math.round(value)), [44, 61, 79, 96]);
  assertEquals(row("rgb-pad-1", 1), [15, 55, 95, 135]);
  assertEquals(new Set(row("rgb-pad-1", 0)).size, 1, "the rest is of one colour");
});
