import { assert, assertEquals, assertNotEquals } from "@std/assert";
import {
  EARLIER_PREPROCESSINGS,
  fitImage,
  hasContent,
  type Image,
  PREPROCESSINGS,
} from "../../shared/image.ts";
import { backgroundAt, coordinate, fitBackground } from "../../shared/background.ts";
import { findContent } from "../../shared/content.ts";
import { Random } from "../../shared/random.ts";
import { normal } from "../helpers/distort.ts";

const SIZE = { width: 28, height: 28 };
const WIDTH = 300, HEIGHT = 200;
/** Half of the picture's height, so that its box is 60 pixels wide and 100 high. */
const BOX = { left: 120, top: 50, width: 60, height: 100 };

type Value = (x: number, y: number) => number;

/** A dark rectangle, half as bright as the ground around it. */
function picture(ground: Value, inside: Value = (x, y) => ground(x, y) / 2): Image {
  const data = new Uint8Array(WIDTH * HEIGHT);
  for (let y = 0, i = 0; y < HEIGHT; y++) {
    for (let x = 0; x < WIDTH; x++, i++) {
      const isInside = x >= BOX.left && x < BOX.left + BOX.width && y >= BOX.top && y < BOX.top + BOX.height;
      data[i] = Math.min(255, Math.max(0, Math.round((isInside ? inside : ground)(x, y))));
    }
  }
  return { width: WIDTH, height: HEIGHT, channels: 1, data };
}

function boxOf({ data, ...size }: Image): unknown {
  return findContent([data], size).box;
}

const FLAT = picture(() => 220);

/** The largest difference of two fitted pictures. */
function difference(a: Image, b: Image, preprocessing: "grey-on-black-1" | "grey-on-black-2"): number {
  const [one, other] = [a, b].map((image) => fitImage(image, { ...SIZE, preprocessing }));
  return Math.max(...one!.map((value, i) => Math.abs(value - other![i]!)));
}

Deno.test("findContent() finds the exact box where there is no noise", () => {
  assertEquals(boxOf(FLAT), BOX);
  const large: Image = { width: 2000, height: 1500, channels: 1, data: new Uint8Array(3_000_000).fill(250) };
  for (let y = 333; y < 1001; y++) large.data.fill(9, y * 2000 + 777, y * 2000 + 801);
  assertEquals(boxOf(large), { left: 777, top: 333, width: 24, height: 668 });
});

Deno.test("fitImage() sees through a gradient of 40 % that version 1 takes for content", () => {
  const lights: Value[] = [
    (x) => 1 - 0.4 * x / WIDTH,
    (x, y) => 0.6 + 0.2 * (x / WIDTH + y / HEIGHT),
    (x, y) => 1 - 0.8 * ((x / WIDTH - 0.5) ** 2 + (y / HEIGHT - 0.5) ** 2),
  ];
  for (const light of lights) {
    const lit = picture((x, y) => 220 * light(x, y));
    assertEquals(boxOf(lit), BOX);
    assert(difference(lit, FLAT, "grey-on-black-2") <= 3);
    assert(difference(lit, FLAT, "grey-on-black-1") > 100);
  }
});

Deno.test("fitImage() sees through noise of σ = 20 that version 1 takes for content", () => {
  const random = new Random(1);
  const noisy = picture(() => 200 + 20 * normal(random), () => 80 + 20 * normal(random));
  const { left, top, width, height } = findContent([noisy.data], noisy).box!;
  for (
    const [found, wanted] of [[left, BOX.left], [top, BOX.top], [width, BOX.width], [height, BOX.height]]
  ) {
    assert(Math.abs(found! - wanted!) <= 3, `${found} instead of ${wanted}`);
  }
  const background = fitImage(noisy, { ...SIZE, preprocessing: "grey-on-black-2" }).subarray(0, 5);
  assertEquals([...background], [0, 0, 0, 0, 0]);
  assert(difference(noisy, picture(() => 200, () => 80), "grey-on-black-1") > 100);
});

Deno.test("fitImage() ignores specks that are version 1's content", () => {
  const specked = { ...FLAT, data: FLAT.data.slice() };
  for (const [x, y] of [[3, 3], [290, 100], [77, 199]] as const) specked.data[y * WIDTH + x] = 0;
  assertEquals(boxOf(specked), BOX);
  assertEquals(difference(specked, FLAT, "grey-on-black-2"), 0);
  assert(difference(specked, FLAT, "grey-on-black-1") > 100);
});

Deno.test("findContent() ignores a soft shadow of 10 %, but not a faint object", () => {
  const shadow: Value = (x, y) =>
    220 * (1 - 0.1 * Math.exp(-(((x - 190) / 40) ** 2 + ((y - 150) / 30) ** 2)));
  const shadowed = picture(shadow, () => 40);
  const { width, height } = findContent([shadowed.data], shadowed).box!;
  assert(width <= BOX.width + 3 && height <= BOX.height + 3, `${width}×${height}`);
  assertEquals(boxOf(picture(() => 220, () => 200)), BOX);
});

Deno.test("fitImage() finds no content in noise, in a gradient, or in a speck", () => {
  const random = new Random(2);
  const speck = { ...FLAT, data: new Uint8Array(WIDTH * HEIGHT).fill(220) };
  speck.data[99 * WIDTH + 99] = 0;
  const gradient: Value = (x, y) => 220 - 0.3 * x - 0.2 * y;
  const noise: Value = () => 200 + 8 * normal(random);
  for (const image of [speck, picture(gradient, gradient), picture(noise, noise)]) {
    const pixels = fitImage(image, { ...SIZE, preprocessing: "grey-on-black-2" });
    assertEquals(hasContent(pixels, 1), false);
  }
});

Deno.test("fitBackground() is not changed by an object on a third of the border", () => {
  const size = { width: 90, height: 90 };
  const ground: Value = (x, y) => 230 - 0.5 * x - 0.3 * y;
  const data = Uint8Array.from({ length: 8100 }, (_, i) => {
    const x = i % 90, y = Math.floor(i / 90);
    return x < 60 && y > 30 ? 20 : Math.round(ground(x, y));
  });
  const background = fitBackground(data, size);
  for (const [x, y] of [[0, 0], [89, 0], [45, 45], [0, 89], [89, 89]] as const) {
    const found = backgroundAt(background, coordinate(x, 90), coordinate(y, 90));
    assert(Math.abs(found - ground(x, y)) < 2, `${found} at ${x}, ${y}`);
  }
});

Deno.test("fitImage() keeps colours and continues an uneven background around them", () => {
  const lit = picture((x) => 220 - 0.3 * x, () => 60);
  const pixels = fitImage(lit, { ...SIZE, channels: 3, preprocessing: PREPROCESSINGS[3] });
  const flat = fitImage(lit, { ...SIZE, channels: 3, preprocessing: EARLIER_PREPROCESSINGS[3] });
  assertNotEquals(pixels, flat);
  const row = [...pixels.subarray(14 * 28, 15 * 28)];
  // The box is 17 pixels wide on the canvas, from column 5 on.
  assertEquals(row.slice(6, 21), Array(15).fill(60));
  // Three and a half pixels of the picture make one of the canvas: about 1 darker each.
  assert(row[0]! > row[3]! && row[3]! > row[24]! && row[24]! > row[27]!, row.join(" "));
  assert(Math.abs(row[0]! - (220 - 0.3 * 100)) <= 3, row.join(" "));
});
