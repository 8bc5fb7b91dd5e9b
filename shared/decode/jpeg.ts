/**
 * Decodes JPEG from strangers (ITU-T T.81, https://www.w3.org/Graphics/JPEG/itu-t81.pdf). MozJPEG does the
 * work, in {@linkcode Sandbox}; before that the whole file is walked here, marker by marker, and what could make
 * the decoder allocate much, work long, or stop in the middle is refused: too many pixels, many passes over them
 * from few bytes (a progressive file of 4 MB can ask for 200,000), tables that make no sense, a file that is cut
 * off. Sequential and progressive Huffman coding with 8 bits are read, in grey or in colour; that is every
 * JPEG of cameras and web sites, but not CMYK of print shops, which browsers do not agree on either.
 *
 * Cameras store pictures as the sensor lay and note in EXIF how to turn them; they are turned.
 *
 * @module
 */
import { InputError } from "../errors.ts";
import type { Image } from "../image.ts";
import { jpegWasm, makeJpegDecoder } from "./codecs.js";
import { type PictureLimits, spendPixels } from "./limits.ts";
import { orient, readOrientation } from "./orientation.ts";
import { Sandbox } from "./sandbox.ts";

// The markers' names are those of T.81, table B.1.
const SOF0 = 0xc0, SOF2 = 0xc2, DHT = 0xc4, JPG = 0xc8, DAC = 0xcc, RST0 = 0xd0, RST7 = 0xd7, SOI = 0xd8;
const EOI = 0xd9, SOS = 0xda, DQT = 0xdb, DRI = 0xdd, APP0 = 0xe0, APP1 = 0xe1, APP15 = 0xef, COM = 0xfe;

// Profiles and previews come in pieces of 64 kB, so even 4 MB of them are 64.
const MAX_SEGMENTS = 4096;
// Encoders make 6 to 12 scans. Each is a walk over all pixels, whatever few bytes it has.
const MAX_SCANS = 32;

const mozjpeg = new Sandbox(makeJpegDecoder, jpegWasm);

/**
 * Decodes a JPEG.
 *
 * @returns red, green, blue and alpha, the right way up
 * @throws {InputError} `invalid-format` if the bytes are no JPEG, a broken one, or of a kind that is not read
 * @throws {InputError} `too-large` if the picture has more pixels than there may be
 */
export async function decodeJpeg(bytes: Uint8Array, limits: PictureLimits): Promise<Image> {
  const { width, height, orientation, end } = new Walk(bytes, limits).run();
  // What follows the end, such as a phone's video, is none of the decoder's business.
  const decoded = await mozjpeg.decode(bytes.subarray(0, end), width * height, false);
  const warning = decoded?.warnings.find(isSerious);
  if (!decoded || decoded.width !== width || warning) {
    // Where data is missing the decoder paints grey, and a label for that would be a label for nothing.
    throw broken("its data is corrupt");
  }
  return orient({ width, height, channels: 4, data: decoded.data }, orientation);
}

/** Cameras leave some stray bytes between segments; all else that MozJPEG warns about are missing pixels. */
function isSerious(warning: string): boolean {
  return /^Premature end|^Corrupt JPEG data: (?![0-9]+ extraneous)/.test(warning);
}

function broken(why: string): InputError {
  return new InputError("invalid-format", `Cannot decode the JPEG as ${why}`);
}

interface Component {
  id: number;
  /** Sampling factors. */
  across: number;
  down: number;
  /** Quantisation table. */
  table: number;
  /** Of 8×8 samples. */
  blocks: number;
}

interface Found {
  width: number;
  height: number;
  orientation: number;
  /** Where the file ends, after its last marker. */
  end: number;
}

/** One walk over a file's markers. */
class Walk {
  readonly #bytes: Uint8Array;
  readonly #limits: PictureLimits;
  #frame: { width: number; height: number; progressive: boolean; components: Component[] } | undefined;
  #scans = 0;
  /** Of the scan that is being read: if it has fewer, it would be decoded at length for nothing. */
  #fewestBits = 0;
  #orientation = 1;
  /** Which tables there are: `quantisation` by 0..3, Huffman tables by class × 4 + 0..3. */
  readonly #quantisation = new Set<number>();
  readonly #huffman = new Set<number>();

  constructor(bytes: Uint8Array, limits: PictureLimits) {
    this.#bytes = bytes;
    this.#limits = limits;
  }

  run(): Found {
    const bytes = this.#bytes;
    if (bytes[0] !== 0xff || bytes[1] !== SOI) throw broken("it does not start with the JPEG signature");
    let at = 2;
    for (let count = 0; count < MAX_SEGMENTS; count++) {
      // Any number of 0xff may stand before a marker.
      if (bytes[at] === 0xff) { while (bytes[at + 1] === 0xff) at++; }
      if (at + 2 > bytes.length) throw broken("it is cut off");
      if (bytes[at] !== 0xff) {
        throw broken(`there must be a marker at byte ${at}: current value is ${bytes[at]}`);
      }
      const marker = bytes[at + 1]!;
      at += 2;
      if (marker === EOI) return this.#finish(at);
      const length = at + 2 <= bytes.length ? this.#uint16(at) : 0;
      if (length < 2 || at + length > bytes.length) throw broken("it is cut off");
      this.#segment(marker, bytes.subarray(at + 2, at + length));
      at += length;
      if (marker === SOS) {
        const end = this.#skipData(at);
        if (8 * (end - at) < this.#fewestBits) throw broken("a scan has too few bytes for its size");
        at = end;
      }
    }
    throw broken(`it has more than ${MAX_SEGMENTS} segments`);
  }

  #finish(end: number): Found {
    if (!this.#frame || this.#scans === 0) throw broken("it has no picture");
    const { width, height } = this.#frame;
    return { width, height, orientation: this.#orientation, end };
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
      throw broken(`marker 0x${marker.toString(16)} is not read`);
    }
  }

  #readFrame(marker: number, content: Uint8Array): void {
    if (this.#frame) throw broken("it has more than one frame");
    if (marker > SOF2) throw broken("only sequential and progressive Huffman coding are read");
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
    if (width === 0 || height === 0) {
      throw broken(`its sides must be in 1..65535: current size is ${width}x${height}`);
    }
    spendPixels("JPEG", { width, height }, this.#limits);
    const components = Array.from({ length: count }, (_, i): Component => {
      const [id, sampling, table] = [...content.subarray(6 + 3 * i, 9 + 3 * i)] as [number, number, number];
      return { id, across: sampling >> 4, down: sampling & 15, table, blocks: 0 };
    });
    const across = Math.max(...components.map((component) => component.across));
    const down = Math.max(...components.map((component) => component.down));
    for (const component of components) {
      const fits = component.across >= 1 && component.down >= 1 && across <= 4 && down <= 4 &&
        across % component.across === 0 && down % component.down === 0;
      if (!fits || component.table > 3) throw broken("its sampling factors or table numbers make no sense");
      const columns = Math.ceil(width * component.across / across);
      const rows = Math.ceil(height * component.down / down);
      component.blocks = Math.ceil(columns / 8) * Math.ceil(rows / 8);
    }
    if (new Set(components.map(({ id }) => id)).size < count) throw broken("two components have one name");
    this.#frame = { width, height, progressive: marker === SOF2, components };
  }

  #readQuantisation(content: Uint8Array): void {
    for (let at = 0; at < content.length;) {
      const wide = content[at]! >> 4;
      const id = content[at]! & 15;
      at += 1 + 64 * (1 + wide);
      if (wide > 1 || id > 3 || at > content.length) throw broken("a quantisation table makes no sense");
      this.#quantisation.add(id);
    }
  }

  #readHuffman(content: Uint8Array): void {
    for (let at = 0; at < content.length;) {
      const kind = content[at]! >> 4;
      const id = content[at]! & 15;
      if (kind > 1 || id > 3 || at + 17 > content.length) throw broken("a Huffman table makes no sense");
      // Codes of each length are counted up; there must be some left over, as the code of ones is forbidden.
      let code = 0, total = 0;
      for (let length = 1; length <= 16; length++) {
        const count = content[at + length]!;
        total += count;
        code = 2 * code + count;
        if (count > 0 && code > 1 << length) throw broken("a Huffman table makes no sense");
      }
      at += 17;
      const symbols = content.subarray(at, at += total);
      const tooWide = kind === 0 && symbols.some((symbol) => symbol > 15);
      if (total > 256 || at > content.length || tooWide) throw broken("a Huffman table makes no sense");
      this.#huffman.add(4 * kind + id);
    }
  }

  #readScan(content: Uint8Array): void {
    if (!this.#frame) throw broken("a scan stands before the frame header");
    if (++this.#scans > MAX_SCANS) throw broken(`it has more than ${MAX_SCANS} scans`);
    const { progressive, components } = this.#frame;
    const count = content[0] ?? 0;
    if (count < 1 || count > components.length || content.length !== 4 + 2 * count) {
      throw broken("a scan header has a wrong length");
    }
    const [first, last, approximation] = [...content.subarray(1 + 2 * count)] as [number, number, number];
    const isDc = first === 0, refines = approximation >> 4 !== 0;
    if (
      progressive &&
      ((isDc ? last !== 0 : last < first || last > 63 || count > 1) || (approximation & 15) > 13 ||
        (refines && approximation >> 4 !== (approximation & 15) + 1))
    ) throw broken("a scan header makes no sense");
    const seen = new Set<number>();
    // Blocks of 8×8 in a unit of interleaved ones.
    let blocks = 0;
    this.#fewestBits = 0;
    for (let i = 0; i < count; i++) {
      const component = components.find(({ id }) => id === content[1 + 2 * i]);
      const dc = content[2 + 2 * i]! >> 4, ac = content[2 + 2 * i]! & 15;
      if (!component || seen.has(component.id)) throw broken("a scan header makes no sense");
      seen.add(component.id);
      blocks += component.across * component.down;
      // The first coefficient of each block has a code of a bit at least; the others can be left out together.
      if (isDc) this.#fewestBits += component.blocks * (progressive ? 1 : 2);
      const needed: [Set<number>, number][] = [[this.#quantisation, component.table]];
      if (isDc && !(progressive && refines)) needed.push([this.#huffman, dc > 3 ? NaN : dc]);
      if (!isDc || !progressive) needed.push([this.#huffman, ac > 3 ? NaN : 4 + ac]);
      if (!needed.every(([tables, id]) => tables.has(id))) {
        throw broken("a scan uses a table that there is not");
      }
    }
    if (count > 1 && blocks > 10) throw broken("its sampling factors make no sense");
  }

  /** To the marker after coded data, in which 0xff is followed by 0 or belongs to a restart marker. */
  #skipData(start: number): number {
    const bytes = this.#bytes;
    for (let at = start;; at += 2) {
      at = bytes.indexOf(0xff, at);
      if (at < 0 || at + 1 >= bytes.length) throw broken("it is cut off");
      const next = bytes[at + 1]!;
      if (next === 0xff) at--;
      else if (next !== 0 && (next < RST0 || next > RST7)) return at;
    }
  }

  #uint16(at: number): number {
    return this.#bytes[at]! << 8 | this.#bytes[at + 1]!;
  }
}
