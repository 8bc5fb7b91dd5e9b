/**
 * Decodes PNG files from untrusted sources (https://www.w3.org/TR/png-3/). A PNG of 400 kB can be made to fill 400 MB,
 * so everything that decides how much is allocated is checked first: the header's size against a budget of
 * pixels, and then the inflated bytes against exactly what that header needs, counted while they arrive.
 *
 * All colour types, depths and Adam7 interlacing are read. Animations (APNG) are rejected, as in WebP: the first frame
 * need not show what the animation does. Text and colour management (`gAMA`,
 * `iCCP`, …) are ignored: the model was trained on samples as stored.
 *
 * @module
 */
import { InputError } from "../errors.ts";
import type { Image } from "../image.ts";
import { release } from "../release.ts";
import { type PictureLimits, spendPixels } from "./limits.ts";
import { GREY, GREY_ALPHA, Painter, PALETTE, type Pass, RGB, RGB_ALPHA, type Samples } from "./png_lines.ts";

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
// Encoders cut the data into pieces of 8 kB or more; smaller pieces only serve to slow a reader down.
const MAX_CHUNKS = 4096;
// Deflate grows at most 1032-fold, so one slice that is fed to it makes no more than 4 MB at a time.
const SLICE = 4096;

/** Colour type → samples a pixel and the legal bit depths. */
const FORMATS: Record<number, { samples: number; depths: number[] }> = {
  [GREY]: { samples: 1, depths: [1, 2, 4, 8, 16] },
  [RGB]: { samples: 3, depths: [8, 16] },
  [PALETTE]: { samples: 1, depths: [1, 2, 4, 8] },
  [GREY_ALPHA]: { samples: 2, depths: [8, 16] },
  [RGB_ALPHA]: { samples: 4, depths: [8, 16] },
};

/**
 * Decodes a PNG.
 *
 * @returns one channel for grey without transparency, else red, green, blue and alpha; 16 bits become 8
 * @throws {InputError} `invalid-format` if the bytes are not a PNG file, or a broken one, `unsupported` if it is an
 * animation
 * @throws {InputError} `too-large` if the picture has too many pixels
 */
export async function decodePng(bytes: Uint8Array<ArrayBuffer>, limits: PictureLimits): Promise<Image> {
  const chunks = readChunks(bytes);
  const header = readHeader(chunks.header);
  spendPixels("PNG", header, limits);
  const palette = header.colour === PALETTE ? readPalette(chunks, header.depth) : undefined;
  const key = readColourKey(chunks, header);
  const { width, height } = header;
  const channels = header.colour === GREY && !key ? 1 : 4;
  const image: Image = { width, height, channels, data: new Uint8Array(width * height * channels) };
  const passes = header.interlaced ? adam7(header) : [whole(header)];
  await inflate(chunks.data, new Painter(image, { ...header, palette, key }, passes), limits.turn);
  return image;
}

function broken(why: string): InputError {
  return new InputError("invalid-format", `Cannot decode the PNG as ${why}`);
}

/** The number of frames of an APNG (https://www.w3.org/TR/png-3/#acTL-chunk). */
function framesOf(chunk: Uint8Array): number {
  if (chunk.length !== 8) throw broken(`its acTL chunk must have 8 bytes: current length is ${chunk.length}`);
  return new DataView(chunk.buffer, chunk.byteOffset).getUint32(0);
}

function animated(): InputError {
  return new InputError(
    "unsupported",
    "Cannot decode the PNG as it is an animation: it must be a still image",
  );
}

/** The chunks that matter. */
interface Chunks {
  header: Uint8Array;
  palette?: Uint8Array;
  transparency?: Uint8Array;
  /** The `IDAT` chunks, in order. */
  data: Uint8Array<ArrayBuffer>[];
}

function readChunks(bytes: Uint8Array<ArrayBuffer>): Chunks {
  if (!SIGNATURE.every((byte, i) => bytes[i] === byte)) {
    throw broken("it does not start with the PNG signature");
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found: Partial<Chunks> = {};
  const data: Uint8Array<ArrayBuffer>[] = [];
  for (let at = SIGNATURE.length, count = 0;; count++) {
    if (at + 12 > bytes.length) throw broken("it is truncated");
    if (count === MAX_CHUNKS) {
      throw broken(`it has more than ${MAX_CHUNKS} chunks`);
    }
    const length = view.getUint32(at);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const end = at + 12 + length;
    if (end > bytes.length) {
      throw broken(
        `chunk ${JSON.stringify(type)} has ${length} bytes and extends past the end of the file`,
      );
    }
    const content = bytes.subarray(at + 8, at + 8 + length);
    if ((type === "IHDR") !== (count === 0)) {
      throw broken("its one IHDR chunk must come first");
    }
    if (type === "IHDR") found.header = content;
    else if (type === "PLTE") found.palette = content;
    else if (type === "tRNS") found.transparency = content;
    else if (type === "IDAT") data.push(content);
    else if (type === "acTL" && framesOf(content) > 1) throw animated();
    else if (type === "IEND") break;
    else if ((bytes[at + 4]! & 0x20) === 0) {
      // A capital first letter says that the picture cannot be understood without the chunk.
      throw broken(`critical chunk ${JSON.stringify(type)} is unknown`);
    }
    at = end;
  }
  return { ...found, header: found.header!, data };
}

interface Header extends Samples {
  width: number;
  height: number;
  interlaced: boolean;
}

function readHeader(chunk: Uint8Array): Header {
  if (chunk.length !== 13) {
    throw broken(
      `its header must have 13 bytes: current length is ${chunk.length}`,
    );
  }
  const view = new DataView(chunk.buffer, chunk.byteOffset);
  const width = view.getUint32(0);
  const height = view.getUint32(4);
  const [depth, colour, compression, filter, interlace] = [...chunk.subarray(8)] as [
    number,
    number,
    number,
    number,
    number,
  ];
  // The specification's own bound is 2^31 - 1 a side.
  if (width === 0 || height === 0 || width > 0x7fffffff || height > 0x7fffffff) {
    throw broken(
      `its sides must be in 1..2147483647: current size is ${width}x${height}`,
    );
  }
  const format = FORMATS[colour];
  if (!format?.depths.includes(depth)) {
    throw broken(
      `colour type ${colour} with bit depth ${depth} does not exist`,
    );
  }
  if (compression !== 0 || filter !== 0 || interlace > 1) {
    throw broken(
      "its compression, filter and interlace methods must be 0, 0 and 0 or 1: " +
        `current values are ${compression}, ${filter} and ${interlace}`,
    );
  }
  const { samples } = format;
  return { width, height, depth, colour, samples, bits: depth * samples, interlaced: interlace === 1 };
}

/** `[256, 4]`: red, green, blue, alpha; indices that the file leaves out are opaque black, as in libpng. */
function readPalette({ palette, transparency = new Uint8Array() }: Chunks, depth: number): Uint8Array {
  if (!palette || palette.length === 0 || palette.length % 3 !== 0 || palette.length / 3 > 1 << depth) {
    throw broken(
      `its palette must have 1..${1 << depth} colours of 3 bytes: ` +
        `current length is ${palette?.length ?? 0}`,
    );
  }
  const table = new Uint8Array(256 * 4);
  for (let i = 0; i < 256; i++) {
    table.set(palette.subarray(3 * i, 3 * i + 3), 4 * i);
    table[4 * i + 3] = transparency[i] ?? 255;
  }
  return table;
}

/** The one colour that is transparent, as raw samples; undefined if there is none. */
function readColourKey({ transparency }: Chunks, { colour, samples }: Header): number[] | undefined {
  if (!transparency || (colour !== GREY && colour !== RGB)) return undefined;
  if (transparency.length !== 2 * samples) {
    throw broken(
      `its tRNS chunk must have ${2 * samples} bytes: ` +
        `current length is ${transparency.length}`,
    );
  }
  return Array.from({ length: samples }, (_, i) => transparency[2 * i]! << 8 | transparency[2 * i + 1]!);
}

function whole(header: Header): Pass {
  return grid(header, 0, 0, 1, 1);
}

function adam7(header: Header): Pass[] {
  return [
    grid(header, 0, 0, 8, 8),
    grid(header, 4, 0, 8, 8),
    grid(header, 0, 4, 4, 8),
    grid(header, 2, 0, 4, 4),
    grid(header, 0, 2, 2, 4),
    grid(header, 1, 0, 2, 2),
    grid(header, 0, 1, 1, 2),
  ].filter(({ width, height }) => width > 0 && height > 0);
}

function grid({ width, height, bits }: Header, x: number, y: number, dx: number, dy: number): Pass {
  const across = Math.ceil((width - x) / dx);
  return {
    x,
    y,
    dx,
    dy,
    width: across,
    height: Math.ceil((height - y) / dy),
    stride: (across * bits + 7) >> 3,
  };
}

/** Bytes that are painted in one go, which takes about a millisecond. */
const STEP = 64 * 1024;
/** Bytes of pixels after which other events are let in. */
const TURN = 512 * 1024;
/**
 * Bytes of compressed data after which they are let in too: blocks that hold nothing but tables of codes make no
 * pixels, and take about 80 ns a byte.
 */
const SLICES_TURN = 64 * 1024;

/** Inflates to exactly what the painter needs, and stops as soon as there is more. */
async function inflate(
  parts: Uint8Array<ArrayBuffer>[],
  painter: Painter,
  turn?: () => Promise<void>,
): Promise<void> {
  const reader = new ReadableStream(slices(parts, turn)).pipeThrough(new DecompressionStream("deflate"))
    .getReader();
  let sinceTurn = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      if (painter.received + value.length > painter.length) {
        throw broken(`its data does not end after ${painter.length} bytes`);
      }
      for (let at = 0; at < value.length; at += STEP) {
        const step = value.subarray(at, at + STEP);
        const wrong = painter.write(step);
        if (wrong !== undefined) throw broken(`filter types are in 0..4: current value is ${wrong}`);
        sinceTurn += step.length;
        if (turn && sinceTurn >= TURN) {
          await turn();
          sinceTurn = 0;
        }
      }
      release(value);
    }
  } catch (error) {
    // Tells the source to stop; the stream's error has been reported already.
    await reader.cancel().catch(() => {});
    if (error instanceof InputError) throw error;
    throw broken("its data cannot be inflated");
  }
  if (painter.received < painter.length) {
    throw broken(`its data must have ${painter.length} bytes: current length is ${painter.received}`);
  }
}

function slices(
  parts: Uint8Array<ArrayBuffer>[],
  turn?: () => Promise<void>,
): UnderlyingDefaultSource<Uint8Array<ArrayBuffer>> {
  let part = 0, at = 0, sinceTurn = 0;
  return {
    async pull(controller): Promise<void> {
      while (part < parts.length && at >= parts[part]!.length) part++, at = 0;
      if (part === parts.length) return controller.close();
      if (turn && sinceTurn >= SLICES_TURN) {
        await turn();
        sinceTurn = 0;
      }
      const slice = parts[part]!.subarray(at, at += SLICE);
      sinceTurn += slice.length;
      controller.enqueue(slice);
    },
  };
}
