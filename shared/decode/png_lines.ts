/**
 * From the inflated data of a PNG to its pixels, while the data arrives: undoes the filters and writes each pixel to
 * its place, so that nothing but the last two lines is kept beside the picture.
 *
 * @module
 */
import type { Image } from "../image.ts";
import { release } from "../release.ts";

/** PNG's colour types. */
export const GREY = 0, RGB = 2, PALETTE = 3, GREY_ALPHA = 4, RGB_ALPHA = 6;

/** What a PNG's header says about its samples. */
export interface Samples {
  /** Bits a sample. */
  depth: number;
  /** Colour type. */
  colour: number;
  /** Samples a pixel. */
  samples: number;
  /** Bits a pixel. */
  bits: number;
}

/** A grid of every `dx`th pixel of every `dy`th line, stored as a picture of its own. */
export interface Pass {
  /** Column of its first pixel. */
  x: number;
  /** Line of its first pixel. */
  y: number;
  /** Columns from one of its pixels to the next. */
  dx: number;
  /** Lines from one of its lines to the next. */
  dy: number;
  /** Its own width, in pixels. */
  width: number;
  /** Its own height, in pixels. */
  height: number;
  /** Bytes a line, without the byte that names its filter. */
  stride: number;
}

/** How colours are made of samples. */
export interface Colours extends Samples {
  /** `[256, 4]`: red, green, blue, alpha. */
  palette: Uint8Array | undefined;
  /** The one colour that is transparent, as raw samples. */
  key: number[] | undefined;
}

/** Paints a picture, pass by pass and line by line. */
export class Painter {
  /** Bytes that all passes need. */
  readonly length: number;
  /** Bytes that have arrived. */
  received = 0;
  readonly #image: Image;
  readonly #colours: Colours;
  readonly #passes: Pass[];
  /** Bytes of a pixel, at least 1: the distance of a byte to its left neighbour. */
  readonly #pixel: number;
  #pass: Pass | undefined;
  /** Of the current line. */
  #y = 0;
  #filter = 0;
  /** Bytes of the current line that are done; -1 if its filter has not arrived. */
  #done = -1;
  #line = new Uint8Array();
  #above = new Uint8Array();

  /**
   * Starts before the first line.
   *
   * @param image gets the pixels
   */
  constructor(image: Image, colours: Colours, passes: Pass[]) {
    this.#image = image;
    this.#colours = colours;
    this.#pixel = Math.max(1, colours.bits >> 3);
    this.#passes = passes.slice();
    this.length = passes.reduce((sum, { height, stride }) => sum + height * (1 + stride), 0);
    this.#nextPass();
  }

  /**
   * Takes the next bytes, no more than {@linkcode length} in total.
   *
   * @returns the number of a filter that does not exist, if there is one
   */
  write(bytes: Uint8Array): number | undefined {
    this.received += bytes.length;
    for (let at = 0; at < bytes.length;) {
      const { stride } = this.#pass!;
      if (this.#done < 0) {
        this.#filter = bytes[at++]!;
        if (this.#filter > 4) return this.#filter;
        this.#done = 0;
      }
      const from = this.#done, to = Math.min(stride, from + bytes.length - at);
      copy(bytes, at, this.#line, from, to);
      at += to - from;
      unfilter(this.#filter, this.#line, this.#y > 0 ? this.#above : undefined, from, to, this.#pixel);
      this.#paint(from, to);
      this.#done = to;
      if (to === stride) this.#nextLine();
    }
    return undefined;
  }

  /** Paints the pixels that end within the bytes `from` to `to` of the line. */
  #paint(from: number, to: number): void {
    const pass = this.#pass!, { bits } = this.#colours;
    const first = Math.floor(8 * from / bits), end = Math.min(pass.width, Math.floor(8 * to / bits));
    if (this.#colours.samples === 1) {
      paintSingle(this.#image, this.#colours, pass, this.#line, this.#y, first, end);
    } else paintColours(this.#image, this.#colours, pass, this.#line, this.#y, first, end);
  }

  #nextLine(): void {
    this.#done = -1;
    if (++this.#y === this.#pass!.height) return this.#nextPass();
    const above = this.#line;
    this.#line = this.#above.length > 0 ? this.#above : new Uint8Array(above.length);
    this.#above = above;
  }

  #nextPass(): void {
    // A line can be half of a large picture.
    release(this.#line);
    release(this.#above);
    this.#pass = this.#passes.shift();
    this.#y = 0;
    this.#line = new Uint8Array(this.#pass?.stride ?? 0);
    this.#above = new Uint8Array();
  }
}

/** Copies bytes; `set()` takes longer to start than a line of a narrow picture to copy. */
function copy(source: Uint8Array, at: number, target: Uint8Array, from: number, to: number): void {
  if (to - from > 64) return target.set(source.subarray(at, at + to - from), from);
  for (let i = from; i < to; i++) target[i] = source[at++]!;
}

/**
 * Undoes the filter of a part of a line in place (https://www.w3.org/TR/png-3/#9Filters).
 *
 * @param above the line above; undefined for the first, above which everything is 0
 * @param from first byte of the part; those before it are done
 */
function unfilter(
  filter: number,
  line: Uint8Array,
  above: Uint8Array | undefined,
  from: number,
  to: number,
  pixel: number,
): void {
  if (filter === 0) return;
  // Nothing is left of the first pixel, where Paeth takes what is above.
  for (let i = from; i < Math.min(pixel, to); i++) {
    const up = above ? above[i]! : 0;
    if (filter !== 1) line[i]! += filter === 3 ? up >> 1 : up;
  }
  const start = Math.max(from, pixel);
  // A loop for each filter, as these few lines are most of what decoding a photograph costs.
  if (filter === 1 || (filter === 4 && !above)) {
    for (let i = start; i < to; i++) line[i]! += line[i - pixel]!;
  } else if (!above) {
    if (filter === 3) { for (let i = start; i < to; i++) line[i]! += line[i - pixel]! >> 1; }
  } else if (filter === 2) {
    for (let i = start; i < to; i++) line[i]! += above[i]!;
  } else if (filter === 3) {
    for (let i = start; i < to; i++) line[i]! += (line[i - pixel]! + above[i]!) >> 1;
  } else {
    for (let i = start; i < to; i++) line[i]! += paeth(line[i - pixel]!, above[i]!, above[i - pixel]!);
  }
}

function paeth(left: number, up: number, corner: number): number {
  const toLeft = Math.abs(up - corner);
  const toUp = Math.abs(left - corner);
  const toCorner = Math.abs(left + up - 2 * corner);
  if (toLeft <= toUp && toLeft <= toCorner) return left;
  return toUp <= toCorner ? up : corner;
}

/** Paints pixels of one sample: grey, or an index into the palette. */
function paintSingle(
  { width, channels, data }: Image,
  { depth, palette, key }: Colours,
  pass: Pass,
  line: Uint8Array,
  y: number,
  first: number,
  end: number,
): void {
  const scale = 255 / ((1 << depth) - 1), transparent = key?.[0];
  let to = ((pass.y + y * pass.dy) * width + pass.x + first * pass.dx) * channels;
  const step = pass.dx * channels;
  for (let x = first; x < end; x++, to += step) {
    const raw = readSample(line, x, depth);
    if (palette) {
      data[to] = palette[4 * raw]!;
      data[to + 1] = palette[4 * raw + 1]!;
      data[to + 2] = palette[4 * raw + 2]!;
      data[to + 3] = palette[4 * raw + 3]!;
      continue;
    }
    const grey = depth === 16 ? narrow(raw) : raw * scale;
    data[to] = grey;
    if (channels === 1) continue;
    data[to + 1] = data[to + 2] = grey;
    data[to + 3] = raw === transparent ? 0 : 255;
  }
}

/** Paints pixels of 2, 3 or 4 samples, which have 8 or 16 bits. */
function paintColours(
  { width, data }: Image,
  { depth, samples, key }: Colours,
  pass: Pass,
  line: Uint8Array,
  y: number,
  first: number,
  end: number,
): void {
  const wide = depth === 16, bytes = wide ? 2 : 1;
  const green = samples >= 3 ? bytes : 0, blue = 2 * green, alpha = (samples - 1) * bytes;
  const hasAlpha = samples % 2 === 0, stride = samples * bytes, step = 4 * pass.dx;
  let from = first * stride;
  let to = ((pass.y + y * pass.dy) * width + pass.x + first * pass.dx) * 4;
  for (let x = first; x < end; x++, from += stride, to += step) {
    if (wide) {
      data[to] = narrow(line[from]! << 8 | line[from + 1]!);
      data[to + 1] = narrow(line[from + green]! << 8 | line[from + green + 1]!);
      data[to + 2] = narrow(line[from + blue]! << 8 | line[from + blue + 1]!);
      data[to + 3] = hasAlpha ? narrow(line[from + alpha]! << 8 | line[from + alpha + 1]!) : 255;
    } else {
      data[to] = line[from]!;
      data[to + 1] = line[from + green]!;
      data[to + 2] = line[from + blue]!;
      data[to + 3] = hasAlpha ? line[from + alpha]! : 255;
    }
    if (key && key.every((sample, i) => sample === readSample(line, x * samples + i, depth))) {
      data[to + 3] = 0;
    }
  }
}

/** 16 bits as 8, rounded to the nearest: `sample / 257`. */
function narrow(sample: number): number {
  return sample * 255 + 32_895 >>> 16;
}

/** The `i`th sample of a line, in 0..2^depth - 1. */
function readSample(line: Uint8Array, i: number, depth: number): number {
  if (depth === 8) return line[i]!;
  if (depth === 16) return line[2 * i]! << 8 | line[2 * i + 1]!;
  const bit = i * depth;
  return line[bit >> 3]! >> (8 - depth - (bit & 7)) & ((1 << depth) - 1);
}
