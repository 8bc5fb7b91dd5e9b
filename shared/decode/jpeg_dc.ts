/**
 * Rewrites a JPEG of several scans, as progressive ones are, as one of a single scan that has the DC coefficients only. At
 * 1/8 of the size, a block's mean is its only sample, and the DC coefficient is that mean.
 *
 * A decoder keeps all coefficients of such a file in memory, as each scan adds to them: 37 MB for 12 megapixels, where a
 * Worker has 128 MB for everything. The DC coefficients alone take 0.6 MB, and a single scan is decoded block by block.
 * Most of the time is saved too, since nine tenths of the data of a progressive file are not read.
 *
 * The section numbers are those of ITU-T T.81.
 *
 * @module
 */
import { concat } from "../concat.ts";
import type { JpegComponent, JpegLayout } from "./jpeg_layout.ts";

const SOF0 = 0xc0, SOF2 = 0xc2, DHT = 0xc4, SOI = 0xd8, EOI = 0xd9, SOS = 0xda, DRI = 0xdd;

/** Differences of DC coefficients have up to 11 bits (table F.1). */
const MAX_BITS = 11;
/** All sizes of differences as codes of 4 bits, and the end of a block as a code of 1 bit, which is 0. */
const TABLES = Uint8Array.of(
  ...[0xff, DHT, 0, 2 + 17 + MAX_BITS + 1 + 17 + 1],
  ...[0x00, 0, 0, 0, MAX_BITS + 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  ...Array.from({ length: MAX_BITS + 1 }, (_, bits) => bits),
  ...[0x10, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  0x00,
);
const SIZE_CODE_BITS = 4;

/** The coefficients of a component, in rows of whole minimum coded units. */
interface Plane extends JpegComponent {
  stride: number;
  dc: Int16Array;
}

/** Blocks that are read or written between turns of the event loop: each takes 20 to 40 ns. */
const TURN_BLOCKS = 65_536;
/** Reading a block of a sequential file takes as long as reading so many DC coefficients. */
const WHOLE_BLOCK = 16;

/**
 * Reads the DC coefficients and writes them as a file of a single scan.
 *
 * @param turn lets other events in; it is called every few milliseconds
 * @returns the file; undefined if the data is corrupt
 */
export async function toSingleScan(
  bytes: Uint8Array,
  layout: JpegLayout,
  turn?: () => Promise<void>,
): Promise<Uint8Array | undefined> {
  const unitsAcross = Math.ceil(
    layout.width / 8 / Math.max(...layout.components.map(({ across }) => across)),
  );
  const unitsDown = Math.ceil(layout.height / 8 / Math.max(...layout.components.map(({ down }) => down)));
  const planes = layout.components.map((component): Plane => {
    const stride = unitsAcross * component.across;
    return { ...component, stride, dc: new Int16Array(stride * unitsDown * component.down) };
  });
  const tables: (Uint16Array | undefined)[] = [];
  const parts: Uint8Array[] = [Uint8Array.of(0xff, SOI)];
  let interval = 0;
  for (const { start, end, scan } of layout.segments.slice(0, -1)) {
    const segment = bytes.subarray(start, end), marker = bytes[start + 1];
    if (marker === DHT) readTables(segment, tables);
    else if (marker === DRI) interval = segment[4]! << 8 | segment[5]!;
    else if (marker! >= SOF0 && marker! <= SOF2) parts.push(sequentialFrame(segment));
    else if (marker !== SOS) parts.push(segment);
    else if (scan!.first === 0) {
      const names = [...segment.subarray(5, 5 + 2 * segment[4]!)];
      const scanned = planes.filter(({ id }) => names.some((name, i) => i % 2 === 0 && name === id));
      const { progressive } = layout;
      const context = { progressive, interval, tables, unitsAcross, unitsDown, turn };
      if (!await readScan(segment, scanned, context)) return undefined;
    }
  }
  const written = await writeScan(planes, unitsAcross, unitsDown, turn);
  return written && concat([...parts, TABLES, scanHeader(planes), written, Uint8Array.of(0xff, EOI)]);
}

function sequentialFrame(segment: Uint8Array): Uint8Array {
  const frame = segment.slice();
  frame[1] = SOF0;
  return frame;
}

function scanHeader(planes: Plane[]): Uint8Array {
  const components = planes.flatMap(({ id }) => [id, 0]);
  return Uint8Array.of(0xff, SOS, 0, 6 + components.length, planes.length, ...components, 0, 63, 0);
}

/**
 * Reads the tables of a segment, each as what the next 16 bits mean: symbol × 32 + the length of its code. Tables of DC
 * coefficients are 0..3, those of AC coefficients 4..7.
 */
function readTables(segment: Uint8Array, tables: (Uint16Array | undefined)[]): void {
  for (let at = 4; at < segment.length;) {
    const name = segment[at]!, counts = segment.subarray(at + 1, at + 17);
    const table = new Uint16Array(1 << 16);
    at += 17;
    for (let length = 1, code = 0; length <= 16; length++, code *= 2) {
      for (let i = 0; i < counts[length - 1]!; i++, code++, at++) {
        table.fill(segment[at]! << 5 | length, code << 16 - length, (code + 1) << 16 - length);
      }
    }
    tables[4 * (name >> 4) + (name & 15)] = table;
  }
}

interface ScanContext {
  progressive: boolean;
  /** Minimum coded units between restart markers; 0 for none. */
  interval: number;
  tables: readonly (Uint16Array | undefined)[];
  unitsAcross: number;
  unitsDown: number;
  turn: (() => Promise<void>) | undefined;
}

/** Reads the DC coefficients of a scan (sections G.1.2.1 and F.2.2); false if its data is corrupt. */
async function readScan(segment: Uint8Array, planes: Plane[], context: ScanContext): Promise<boolean> {
  const { progressive, interval, tables, unitsAcross, unitsDown, turn } = context;
  const count = segment[4]!, header = 2 + (segment[2]! << 8 | segment[3]!);
  const approximation = progressive ? segment[header - 1]! : 0,
    high = approximation >> 4,
    low = approximation & 15;
  const used = planes.map(({ id }) => {
    const place = [0, 1, 2].find((i) => i < count && segment[5 + 2 * i] === id)!;
    const names = segment[6 + 2 * place]!;
    return { dc: tables[names >> 4], ac: tables[4 + (names & 15)] };
  });
  const reader = new BitReader(segment, header);
  const predictions = new Int32Array(planes.length);
  // A single component comes block by block, without the ones that fill its last units (section A.2.2).
  const alone = count === 1;
  const across = alone ? planes[0]!.columns : unitsAcross, down = alone ? planes[0]!.rows : unitsDown;
  const places = placesOf(planes, alone);
  let sinceTurn = 0;
  for (let y = 0, unit = 0; y < down; y++) {
    for (let x = 0; x < across; x++, unit++) {
      if (interval > 0 && unit > 0 && unit % interval === 0) {
        if (reader.exhausted || !reader.restart()) return false;
        predictions.fill(0);
      }
      for (let j = 0; j < places.length; j++) {
        const { plane, dc, stride, tall, wide, v, h } = places[j]!;
        const at = (y * tall + v) * stride + x * wide + h;
        if (high > 0) {
          dc[at]! |= reader.read(1) << low;
          continue;
        }
        const entry = used[plane]!.dc![reader.peek16()]!, bits = entry >> 5;
        if (entry === 0 || bits > MAX_BITS) return false;
        reader.skip(entry & 31);
        const value = reader.read(bits);
        predictions[plane]! += bits > 0 && value < 1 << bits - 1 ? value - (1 << bits) + 1 : value;
        dc[at] = predictions[plane]! << low;
        if (!progressive && !skipAc(reader, used[plane]!.ac!)) return false;
      }
    }
    if (reader.exhausted) return false;
    sinceTurn += across * places.length * (progressive ? 1 : WHOLE_BLOCK);
    if (turn && sinceTurn >= TURN_BLOCKS) {
      await turn();
      sinceTurn = 0;
    }
  }
  return true;
}

/** Skips the AC coefficients of a block (section F.2.2.2); false if the data is corrupt. */
function skipAc(reader: BitReader, table: Uint16Array): boolean {
  for (let k = 1; k < 64; k++) {
    const entry = table[reader.peek16()]!, run = entry >> 9, bits = entry >> 5 & 15;
    if (entry === 0) return false;
    reader.skip(entry & 31);
    // The end of the block, or 16 zeros.
    if (bits === 0 && run < 15) break;
    reader.read(bits);
    k += run;
  }
  return true;
}

/** Where a block of a minimum coded unit goes. */
interface Place {
  /** Its plane's index. */
  plane: number;
  dc: Int16Array;
  stride: number;
  /** Blocks of the plane in a unit, downwards and across. */
  tall: number;
  wide: number;
  /** Its row and column in the unit. */
  v: number;
  h: number;
}

/** The blocks of a unit in their order (section A.2.3). */
function placesOf(planes: Plane[], alone: boolean): Place[] {
  return planes.flatMap(({ dc, stride, across, down }, plane) => {
    const tall = alone ? 1 : down, wide = alone ? 1 : across;
    return Array.from({ length: tall * wide }, (_, i) => {
      return { plane, dc, stride, tall, wide, v: Math.floor(i / wide), h: i % wide };
    });
  });
}

/** Writes all DC coefficients in one scan; undefined if they are out of range. */
async function writeScan(
  planes: Plane[],
  unitsAcross: number,
  unitsDown: number,
  turn?: () => Promise<void>,
): Promise<Uint8Array | undefined> {
  const blocks = planes.reduce((sum, { dc }) => sum + dc.length, 0);
  // At most 16 bits a block, each byte followed by a stuffed one.
  const out = new Uint8Array(4 * blocks + 4);
  let length = 0, buffer = 0, held = 0, sinceTurn = 0;
  const predictions = new Int32Array(planes.length);
  const alone = planes.length === 1;
  const across = alone ? planes[0]!.columns : unitsAcross, down = alone ? planes[0]!.rows : unitsDown;
  const places = placesOf(planes, alone);
  for (let y = 0; y < down; y++) {
    for (let x = 0; x < across; x++) {
      for (let j = 0; j < places.length; j++) {
        const { plane, dc, stride, tall, wide, v, h } = places[j]!;
        const value = dc[(y * tall + v) * stride + x * wide + h]!;
        const difference = value - predictions[plane]!;
        predictions[plane] = value;
        const bits = 32 - Math.clz32(Math.abs(difference));
        if (bits > MAX_BITS) return undefined;
        const coded = difference < 0 ? difference + (1 << bits) - 1 : difference;
        // The size, the difference, and the end of the block.
        buffer = buffer << SIZE_CODE_BITS + bits + 1 | bits << bits + 1 | coded << 1;
        held += SIZE_CODE_BITS + bits + 1;
        for (; held >= 8; held -= 8) {
          const byte = buffer >> held - 8 & 255;
          out[length++] = byte;
          if (byte === 0xff) length++;
        }
      }
    }
    sinceTurn += across * places.length;
    if (turn && sinceTurn >= TURN_BLOCKS) {
      await turn();
      sinceTurn = 0;
    }
  }
  // The rest of the last byte is ones (section F.1.2.3).
  if (held > 0) {
    const last = (buffer << 8 - held | 0xff >> held) & 255;
    out[length++] = last;
    if (last === 0xff) length++;
  }
  return out.subarray(0, length);
}

/** Reads the coded data of a scan, in which a zero byte follows 0xff (section F.2.2.5). */
class BitReader {
  readonly #bytes: Uint8Array;
  #at: number;
  #buffer = 0;
  #held = 0;
  /** Zero bits that were added after the end of the data or before a marker. */
  #added = 0;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.#at = at;
  }

  /** Whether more bits were used than there are. */
  get exhausted(): boolean {
    return this.#held < this.#added;
  }

  /** The next 16 bits, without taking them. */
  peek16(): number {
    this.#fill();
    return this.#buffer >>> this.#held - 16 & 0xffff;
  }

  /** Takes bits that were seen by `peek16`. */
  skip(bits: number): void {
    this.#held -= bits;
  }

  /** Takes up to 16 bits. */
  read(bits: number): number {
    this.#fill();
    this.#held -= bits;
    return this.#buffer >>> this.#held & (1 << bits) - 1;
  }

  /** Continues after a restart marker; false if there is none. */
  restart(): boolean {
    const isMarker = this.#bytes[this.#at] === 0xff && (this.#bytes[this.#at + 1]! & 0xf8) === 0xd0;
    this.#at += 2;
    this.#buffer = this.#held = this.#added = 0;
    return isMarker;
  }

  #fill(): void {
    while (this.#held <= 16) {
      const byte = this.#bytes[this.#at];
      const isData = byte !== undefined && (byte !== 0xff || this.#bytes[this.#at + 1] === 0);
      if (isData) this.#at += byte === 0xff ? 2 : 1;
      else this.#added += 8;
      this.#buffer = this.#buffer << 8 | (isData ? byte : 0);
      this.#held += 8;
    }
  }
}
