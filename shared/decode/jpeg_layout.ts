/**
 * Reads the structure of a JPEG file, marker by marker (ITU-T T.81, https://www.w3.org/Graphics/JPEG/itu-t81.pdf),
 * and refuses what could make a decoder allocate too much, work too long or fail half-way: too many pixels, many
 * scans of few bytes (a progressive file of 4 MB can announce 200,000), invalid tables, a truncated file.
 *
 * @module
 */
import { InputError } from "../errors.ts";
import type { Size } from "../image.ts";
import { type PictureLimits, spendPixels } from "./limits.ts";
import { readOrientation } from "./orientation.ts";

// The markers' names are those of T.81, table B.1.
const SOF0 = 0xc0, SOF2 = 0xc2, DHT = 0xc4, JPG = 0xc8, DAC = 0xcc, RST0 = 0xd0, RST7 = 0xd7, SOI = 0xd8;
const EOI = 0xd9, SOS = 0xda, DQT = 0xdb, DRI = 0xdd, APP0 = 0xe0, APP1 = 0xe1, APP14 = 0xee, APP15 = 0xef;
const COM = 0xfe;

// Profiles and previews come in pieces of 64 kB, so even 8 MB of them are 128.
const MAX_SEGMENTS = 4096;
// Encoders make 6 to 12 scans. Each is a pass over all pixels, however few bytes it has.
const MAX_SCANS = 32;
/**
 * Scans that may contribute to a coefficient of a progressive file, one bit each after the first. T.81 allows 14; IJG's
 * library makes 3, and MozJPEG up to 4.
 */
const MAX_PASSES = 5;
/** Pixels of a side: a limit of libjpeg (`JPEG_MAX_DIMENSION`). */
const MAX_SIDE = 65_500;
/** Pixels before scaling, which bounds the time: phones take pictures of 12 to 50 million. */
export const MAX_STORED_PIXELS = 64_000_000;
/** At reduced scale, reading a stored pixel takes 3 to 6 ns; decoding one at full size takes 20 to 30 ns. */
export const STORED_PIXEL_COST = 1 / 8;

/** How a JPEG file is built, and how it is to be decoded. */
export interface JpegLayout {
  /** Pixels. */
  width: number;
  /** Pixels. */
  height: number;
  /** 1, 2, 4 or 8: the largest by which the sides can be divided and keep the short side that the limits ask for. */
  scale: number;
  /** EXIF orientation, 1..8. */
  orientation: number;
  /** Whether coefficients come in scans of growing detail. */
  progressive: boolean;
  /** Whether the picture comes in several scans, so that a decoder has to keep all coefficients in memory. */
  multiScan: boolean;
  /** Brightness, or brightness and two colour differences. */
  components: readonly JpegComponent[];
  /** The segments that matter for decoding, in order: tables, frame, scans with their data, the end. */
  segments: JpegSegment[];
  /** Bytes up to the end of the picture; phones append videos. */
  end: number;
}

/** Brightness or a colour. */
export interface JpegComponent {
  /** The name by which scans refer to it, 0..255. */
  id: number;
  /** Horizontal sampling factor, 1..4: how many blocks of a row a minimum coded unit has. */
  across: number;
  /** Vertical sampling factor, 1..4. */
  down: number;
  /** Quantisation table, 0..3. */
  table: number;
  /** Blocks of 8×8 samples from left to right. */
  columns: number;
  /** Blocks of 8×8 samples from top to bottom. */
  rows: number;
}

/** A marker segment; for a scan, with the coded data that follows it. */
export interface JpegSegment {
  /** Index of its first byte, which is 0xff. */
  start: number;
  /** Index behind its last byte. */
  end: number;
  /** For scans, the first and the last coefficient, 0..63, in zigzag order. */
  scan?: { first: number; last: number };
}

/**
 * Reads the structure of a file. The pixels are taken from the budget as soon as the size is known.
 *
 * @throws {InputError} `invalid-format` if the bytes are not a JPEG file, or a broken or unsupported one
 * @throws {InputError} `too-large` if the decoded picture would have more pixels than allowed
 */
export function parseJpeg(bytes: Uint8Array, limits: PictureLimits): JpegLayout {
  return new Parser(bytes, limits).run();
}

/** By what the sides of a picture are divided: the largest of 8, 4, 2 and 1 that keeps the short side. */
export function scaleOf({ width, height }: Size, shortSide = Infinity): number {
  return [8, 4, 2].find((scale) => Math.min(width, height) / scale >= shortSide) ?? 1;
}

/** The error for a file that cannot be decoded. */
export function broken(why: string): InputError {
  return new InputError("invalid-format", `Cannot decode the JPEG as ${why}`);
}

/** Bytes that are compared in the time that a call of `indexOf` takes. */
const NEAR = 32;

/** Index of the next 0xff, or -1. Data can be made to have one at every second byte. */
function indexOfMark(bytes: Uint8Array, from: number): number {
  const near = Math.min(from + NEAR, bytes.length);
  for (let at = from; at < near; at++) {
    if (bytes[at] === 0xff) return at;
  }
  return bytes.indexOf(0xff, near);
}

interface Frame {
  width: number;
  height: number;
  scale: number;
  progressive: boolean;
  components: JpegComponent[];
}

/** One pass over a file's markers. */
class Parser {
  readonly #bytes: Uint8Array;
  readonly #limits: PictureLimits;
  #frame: Frame | undefined;
  readonly #segments: JpegSegment[] = [];
  #scans = 0;
  #multiScan = false;
  /** Of the current scan; one with fewer bits is broken, and decoding it would take long for nothing. */
  #fewestBits = 0;
  #scan = { first: 0, last: 63 };
  /** Scans so far by component and coefficient. */
  readonly #passes = new Map<number, Uint8Array>();
  #orientation = 1;
  /** The tables defined so far: quantisation tables 0..3, and Huffman tables as class × 4 + 0..3. */
  readonly #quantisation = new Set<number>();
  readonly #huffman = new Set<number>();

  constructor(bytes: Uint8Array, limits: PictureLimits) {
    this.#bytes = bytes;
    this.#limits = limits;
  }

  run(): JpegLayout {
    const bytes = this.#bytes;
    if (bytes[0] !== 0xff || bytes[1] !== SOI) throw broken("it does not start with the JPEG signature");
    let at = 2;
    for (let count = 0; count < MAX_SEGMENTS; count++) {
      // A marker may be preceded by any number of 0xff.
      if (bytes[at] === 0xff) { while (bytes[at + 1] === 0xff) at++; }
      if (at + 2 > bytes.length) throw broken("it is truncated");
      if (bytes[at] !== 0xff) {
        throw broken(`there must be a marker at byte ${at}: current value is ${bytes[at]}`);
      }
      const marker = bytes[at + 1]!;
      at += 2;
      if (marker === EOI) {
        this.#segments.push({ start: at - 2, end: at });
        return this.#finish(at);
      }
      const length = at + 2 <= bytes.length ? this.#uint16(at) : 0;
      if (length < 2 || at + length > bytes.length) throw broken("it is truncated");
      this.#segment(marker, bytes.subarray(at + 2, at + length));
      const start = at - 2;
      at += length;
      if (marker === SOS) {
        const end = this.#skipData(at);
        if (8 * (end - at) < this.#fewestBits) throw broken("a scan has too few bytes for its size");
        at = end;
        this.#segments.push({ start, end, scan: this.#scan });
      } else if (marker < APP0 || marker === APP0 || marker === APP14) {
        // APP0 and APP14 tell how colours are coded.
        this.#segments.push({ start, end: at });
      }
    }
    throw broken(`it has more than ${MAX_SEGMENTS} segments`);
  }

  #finish(end: number): JpegLayout {
    if (!this.#frame || this.#scans === 0) throw broken("it has no picture");
    const { progressive } = this.#frame, multiScan = progressive || this.#multiScan;
    return { ...this.#frame, multiScan, orientation: this.#orientation, segments: this.#segments, end };
  }

  #segment(marker: number, content: Uint8Array): void {
    if (marker === SOS) this.#readScan(content);
    else if (marker === DHT) this.#readHuffman(content);
    else if (marker === DQT) this.#readQuantisation(content);
    else if (marker === DRI) {
      if (content.length !== 2) throw broken("its restart interval must have 2 bytes");
    } else if (marker >= SOF0 && marker <= 0xcf && marker !== JPG && marker !== DAC) {
      this.#readFrame(marker, content);
    } else if (marker === APP1) {
      this.#orientation = readOrientation(content) ?? this.#orientation;
    } else if ((marker < APP0 || marker > APP15) && marker !== COM) {
      throw broken(`marker 0x${marker.toString(16)} is not supported`);
    }
  }

  #readFrame(marker: number, content: Uint8Array): void {
    if (this.#frame) throw broken("it has more than one frame");
    if (marker > SOF2) throw broken("only sequential and progressive Huffman coding are supported");
    const count = content[5] ?? 0;
    if (content.length < 6 || content.length !== 6 + 3 * count) {
      throw broken("its frame header has a wrong length");
    }
    if (content[0] !== 8) throw broken(`samples must have 8 bits: current number is ${content[0]}`);
    if (count !== 1 && count !== 3) {
      throw broken(`it must have 1 or 3 components, grey or colour: current number is ${count}`);
    }
    const height = content[1]! << 8 | content[2]!;
    const width = content[3]! << 8 | content[4]!;
    const wrongSides = `its sides must be in 1..${MAX_SIDE}: current size is ${width}x${height}`;
    if (width === 0 || height === 0) throw broken(wrongSides);
    const components = Array.from({ length: count }, (_, i): JpegComponent => {
      const [id, sampling, table] = [...content.subarray(6 + 3 * i, 9 + 3 * i)] as [number, number, number];
      return { id, across: sampling >> 4, down: sampling & 15, table, columns: 0, rows: 0 };
    });
    const across = Math.max(...components.map((component) => component.across));
    const down = Math.max(...components.map((component) => component.down));
    for (const component of components) {
      const fits = component.across >= 1 && component.down >= 1 && across <= 4 && down <= 4 &&
        across % component.across === 0 && down % component.down === 0;
      if (!fits || component.table > 3) throw broken("its sampling factors or table numbers are invalid");
      component.columns = Math.ceil(Math.ceil(width * component.across / across) / 8);
      component.rows = Math.ceil(Math.ceil(height * component.down / down) / 8);
    }
    if (new Set(components.map(({ id }) => id)).size < count) {
      throw broken("two components have the same identifier");
    }
    const scale = this.#spend(width, height);
    if (Math.max(width, height) > MAX_SIDE) throw broken(wrongSides);
    this.#frame = { width, height, scale, progressive: marker === SOF2, components };
  }

  /** Chooses the scale, and takes from the limits what decoding at it costs. */
  #spend(width: number, height: number): number {
    const scale = scaleOf({ width, height }, this.#limits.shortSide);
    if (scale > 1 && width > Math.floor(MAX_STORED_PIXELS / height)) {
      throw new InputError(
        "too-large",
        `Cannot decode the JPEG as it must have at most ${MAX_STORED_PIXELS} pixels before scaling: ` +
          `current size is ${width}x${height}`,
      );
    }
    const size = { width: Math.ceil(width / scale), height: Math.ceil(height / scale) };
    const cost = Math.max(size.width * size.height, Math.ceil(width * height * STORED_PIXEL_COST));
    spendPixels("JPEG", size, this.#limits, scale > 1 ? cost : undefined);
    return scale;
  }

  #readQuantisation(content: Uint8Array): void {
    for (let at = 0; at < content.length;) {
      const wide = content[at]! >> 4;
      const id = content[at]! & 15;
      at += 1 + 64 * (1 + wide);
      if (wide > 1 || id > 3 || at > content.length) throw broken("a quantisation table is invalid");
      this.#quantisation.add(id);
    }
  }

  #readHuffman(content: Uint8Array): void {
    for (let at = 0; at < content.length;) {
      const kind = content[at]! >> 4;
      const id = content[at]! & 15;
      if (kind > 1 || id > 3 || at + 17 > content.length) throw broken("a Huffman table is invalid");
      // Codes are assigned in order; T.81, section C, reserves the one that consists of ones only.
      let code = 0, total = 0;
      for (let length = 1; length <= 16; length++) {
        const count = content[at + length]!;
        total += count;
        code = 2 * code + count;
        if (count > 0 && code >= 1 << length) throw broken("a Huffman table is invalid");
      }
      at += 17;
      const symbols = content.subarray(at, at += total);
      const tooWide = kind === 0 && symbols.some((symbol) => symbol > 15);
      if (total > 256 || at > content.length || tooWide) throw broken("a Huffman table is invalid");
      this.#huffman.add(4 * kind + id);
    }
  }

  #readScan(content: Uint8Array): void {
    if (!this.#frame) throw broken("a scan comes before the frame header");
    if (++this.#scans > MAX_SCANS) throw broken(`it has more than ${MAX_SCANS} scans`);
    const { progressive, components } = this.#frame;
    const count = content[0] ?? 0;
    if (count < 1 || count > components.length || content.length !== 4 + 2 * count) {
      throw broken("a scan header has a wrong length");
    }
    if (count < components.length) this.#multiScan = true;
    const [first, last, approximation] = [...content.subarray(1 + 2 * count)] as [number, number, number];
    const isDc = first === 0, refines = approximation >> 4 !== 0;
    if (
      progressive &&
      ((isDc ? last !== 0 : last < first || last > 63 || count > 1) || (approximation & 15) > 13 ||
        (refines && approximation >> 4 !== (approximation & 15) + 1))
    ) throw broken("a scan header is invalid");
    this.#scan = progressive ? { first, last } : { first: 0, last: 63 };
    const seen = new Set<number>();
    // Blocks of 8×8 samples in a minimum coded unit.
    let blocks = 0;
    this.#fewestBits = 0;
    for (let i = 0; i < count; i++) {
      const component = components.find(({ id }) => id === content[1 + 2 * i]);
      const dc = content[2 + 2 * i]! >> 4, ac = content[2 + 2 * i]! & 15;
      if (!component || seen.has(component.id)) throw broken("a scan header is invalid");
      seen.add(component.id);
      blocks += component.across * component.down;
      this.#countPass(component.id, progressive ? MAX_PASSES : 1);
      // The DC coefficient of each block has a code of at least a bit, and the AC coefficients one together.
      if (isDc) this.#fewestBits += component.columns * component.rows * (progressive ? 1 : 2);
      const needed: [Set<number>, number][] = [[this.#quantisation, component.table]];
      if (isDc && !(progressive && refines)) needed.push([this.#huffman, dc > 3 ? NaN : dc]);
      if (!isDc || !progressive) needed.push([this.#huffman, ac > 3 ? NaN : 4 + ac]);
      if (!needed.every(([tables, id]) => tables.has(id))) {
        throw broken("a scan uses a missing table");
      }
    }
    if (count > 1 && blocks > 10) throw broken("its sampling factors are invalid");
  }

  /** Counts the current scan for the coefficients of a component. */
  #countPass(id: number, most: number): void {
    const passes = this.#passes.get(id) ?? new Uint8Array(64);
    this.#passes.set(id, passes);
    for (let i = this.#scan.first; i <= this.#scan.last; i++) {
      if (++passes[i]! > most) {
        throw broken(`a coefficient is in more than ${most} scan${most > 1 ? "s" : ""}`);
      }
    }
  }

  /** Finds the marker after coded data, in which 0xff is followed by 0 or belongs to a restart marker. */
  #skipData(start: number): number {
    const bytes = this.#bytes;
    for (let at = start;; at += 2) {
      at = indexOfMark(bytes, at);
      if (at < 0 || at + 1 >= bytes.length) throw broken("it is truncated");
      const next = bytes[at + 1]!;
      if (next === 0xff) at--;
      else if (next !== 0 && (next < RST0 || next > RST7)) return at;
    }
  }

  #uint16(at: number): number {
    return this.#bytes[at]! << 8 | this.#bytes[at + 1]!;
  }
}
