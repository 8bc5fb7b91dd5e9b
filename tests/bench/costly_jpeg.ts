/**
 * JPEG files that no encoder writes: the number of scans, their kind and how full they are can be chosen. The section
 * numbers are those of ITU-T T.81.
 *
 * @module
 */
import type { Size } from "../../shared/image.ts";
import { Random } from "../../shared/random.ts";

/** How a JPEG is made. */
export interface ScansRecipe {
  size: Size;
  /** 1 or 3. */
  components: number;
  /** Horizontal and vertical sampling factor of the first component, 1..4; 1 by default. */
  sampling?: readonly [number, number];
  /** Without it, there is one scan, or one for each component. */
  progressive: boolean;
  /** Whether the components of a sequential file have a scan each. */
  separate?: boolean;
  /** Coefficients of each block that are not 0, 0..63. */
  coefficients: number;
  /** In a progressive file, at least `components` + 1. */
  scans: number;
  /** Which coefficients the scans refine that are not needed; those of AC by default. */
  refined?: "dc" | "ac";
  /** Minimum coded units between restart markers; 0, the default, for none. */
  interval?: number;
}

interface Component {
  id: number;
  across: number;
  down: number;
  columns: number;
  rows: number;
}

/** The code of a bit is a non-zero coefficient of size 1, those of 5 bits end 2^n blocks (section G.1.2.2). */
const ENDS = Array.from({ length: 15 }, (_, n) => n << 4);
const TABLES = Uint8Array.of(
  ...[0x00, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  ...[0x10, 1, 0, 0, 0, ENDS.length, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, ...ENDS],
);
const END_CODE = 0b10000, END_BITS = 5;
/** Blocks that one code can end. */
const LONGEST_RUN = 32_767;

/** Writes the file. */
export function jpegOfScans(recipe: ScansRecipe): Uint8Array<ArrayBuffer> {
  const { size: { width, height }, progressive, sampling = [1, 1], refined = "ac", interval = 0 } = recipe;
  const [h, v] = recipe.components === 1 ? [1, 1] : sampling;
  const components = Array.from({ length: recipe.components }, (_, i): Component => {
    const [across, down] = i === 0 ? [h, v] : [1, 1];
    return {
      id: i + 1,
      across,
      down,
      columns: Math.ceil(Math.ceil(width * across / h) / 8),
      rows: Math.ceil(Math.ceil(height * down / v) / 8),
    };
  });
  const frame = components.flatMap(({ id, across, down }) => [id, across << 4 | down, 0]);
  const units = Math.ceil(width / 8 / h) * Math.ceil(height / 8 / v);
  const out = new Writer(interval);
  out.bytes(0xff, 0xd8);
  out.segment(0xdb, 0, ...new Array(64).fill(1));
  out.segment(
    progressive ? 0xc2 : 0xc0,
    ...[8, height >> 8, height & 255, width >> 8, width & 255, components.length, ...frame],
  );
  out.segment(0xc4, ...TABLES);
  if (interval > 0) out.segment(0xdd, interval >> 8, interval & 255);
  const scan = (scanned: Component[], first: number, last: number, approximation: number): void =>
    out.segment(0xda, scanned.length, ...scanned.flatMap(({ id }) => [id, 0]), first, last, approximation);
  const isAlone = components.length === 1;
  const blocks = isAlone ? 1 : components.reduce((sum, { across, down }) => sum + across * down, 0);
  const unitsOf = ({ columns, rows }: Component): number => columns * rows;
  const { coefficients } = recipe;

  if (!progressive) {
    for (const scanned of recipe.separate ? components.map((component) => [component]) : [components]) {
      scan(scanned, 0, 63, 0);
      const isSingle = scanned.length === 1;
      out.units(isSingle ? unitsOf(scanned[0]!) : units, () => {
        for (let block = 0; block < (isSingle ? 1 : blocks); block++) {
          out.put(0, 1);
          out.block(coefficients);
          if (coefficients < 63) out.put(END_CODE, END_BITS);
        }
      });
    }
    return out.end();
  }
  const needed = 1 + components.length, extra = Math.max(0, recipe.scans - needed);
  const ofAc = Math.ceil(extra / components.length);
  // Each scan adds a bit to what is there already.
  const dcShift = refined === "dc" ? Math.min(13, extra) : 0;
  const acShift = refined === "ac" ? Math.min(13, ofAc) : 0;
  scan(components, 0, 0, dcShift);
  out.units(isAlone ? unitsOf(components[0]!) : units, () => out.put(0, blocks));
  for (const component of components) {
    scan([component], 1, 63, acShift);
    if (coefficients === 0) out.run(unitsOf(component), 0);
    else {
      out.units(unitsOf(component), () => {
        out.block(coefficients);
        if (coefficients < 63) out.put(END_CODE, END_BITS);
      });
    }
  }
  for (let i = 0; i < extra; i++) {
    if (refined === "dc") {
      const low = Math.max(0, dcShift - 1 - i);
      scan(components, 0, 0, low + 1 << 4 | low);
      out.units(isAlone ? unitsOf(components[0]!) : units, () => out.noise(blocks));
    } else {
      const low = Math.max(0, acShift - 1 - Math.floor(i / components.length));
      const component = components[i % components.length]!;
      scan([component], 1, 63, low + 1 << 4 | low);
      out.run(unitsOf(component), coefficients);
    }
  }
  return out.end();
}

class Writer {
  readonly #interval: number;
  readonly #random = new Random(1);
  #file = new Uint8Array(1 << 20);
  #length = 0;
  #buffer = 0;
  #held = 0;

  constructor(interval: number) {
    this.#interval = interval;
  }

  bytes(...values: number[]): void {
    for (const value of values) this.#byte(value);
  }

  segment(marker: number, ...content: number[]): void {
    this.#flush();
    this.bytes(0xff, marker, content.length + 2 >> 8, content.length + 2 & 255, ...content);
  }

  end(): Uint8Array<ArrayBuffer> {
    this.#flush();
    this.bytes(0xff, 0xd9);
    return this.#file.slice(0, this.#length);
  }

  /** Writes the units of a scan, with the restart markers between them. */
  units(count: number, unit: () => void): void {
    for (let i = 0; i < count; i++) {
      if (this.#interval > 0 && i > 0 && i % this.#interval === 0) this.#restart(i / this.#interval - 1);
      unit();
    }
  }

  /** Ends blocks without a new coefficient, each with bits that correct those it has. */
  run(blocks: number, coefficients: number): void {
    const most = this.#interval || LONGEST_RUN;
    for (let at = 0; at < blocks; at += most) {
      if (this.#interval > 0 && at > 0) this.#restart(at / most - 1);
      const run = Math.min(most, LONGEST_RUN, blocks - at);
      const bits = 31 - Math.clz32(run);
      this.put(END_CODE + bits, END_BITS);
      this.put(run - (1 << bits), bits);
      this.noise(run * coefficients);
    }
  }

  /** Coefficients of 1 or -1. */
  block(coefficients: number): void {
    // A zero is the code, and the bit after it the sign.
    for (let i = 0; i < coefficients; i++) this.put(this.#random.uint32() & 1, 2);
  }

  noise(bits: number): void {
    for (; bits >= 16; bits -= 16) this.put(this.#random.uint32() & 0xffff, 16);
    if (bits > 0) this.put(this.#random.uint32() & (1 << bits) - 1, bits);
  }

  /** @param bits at most 16, of which any number may be 0 */
  put(value: number, bits: number): void {
    this.#buffer = this.#buffer << bits | value;
    for (this.#held += bits; this.#held >= 8; this.#held -= 8) {
      this.#data(this.#buffer >> this.#held - 8 & 255);
    }
  }

  #restart(number: number): void {
    this.#flush();
    this.bytes(0xff, 0xd0 + number % 8);
  }

  /** The rest of the last byte is ones (section F.1.2.3). */
  #flush(): void {
    if (this.#held > 0) this.put((1 << 8 - this.#held) - 1, 8 - this.#held);
  }

  /** A zero follows 0xff. */
  #data(byte: number): void {
    this.#byte(byte);
    if (byte === 0xff) this.#byte(0);
  }

  #byte(value: number): void {
    if (this.#length === this.#file.length) {
      const longer = new Uint8Array(2 * this.#length);
      longer.set(this.#file);
      this.#file = longer;
    }
    this.#file[this.#length++] = value;
  }
}
