/**
 * How long reading a request takes, estimated from its size and the headers of its pictures, before any of them is
 * decoded. The figures are of one core of a server in the cloud, for pictures that take long: estimates decide who
 * waits, not who is answered.
 *
 * @module
 */
import { pictureMicros } from "../../shared/decode/cost.ts";
import { type PictureLimits, shortSideFor } from "../../shared/decode/limits.ts";
import { mediaTypeOf } from "./classify.ts";
import { filesOf } from "./multipart.ts";
import { pictureLimits } from "./picture.ts";
import type { Task } from "./task.ts";

/** Parsing a number takes 30 to 40 ns, and the shortest ones have two characters. */
const MICROS_PER_JSON_BYTE = 0.02;
/** Bytes to numbers in 0..1, mostly for the memory of the numbers, and the search for blank images. */
const MICROS_PER_PIXEL = 0.01;

/** @returns µs */
export function estimateMicros({ form, body, contentType, jsonLength, model, limits }: Task): number {
  const mediaType = mediaTypeOf(contentType);
  const pictures = { ...pictureLimits(limits), shortSide: shortSideFor(model.input) };
  if (form === "infer") {
    const json = jsonLength === undefined ? body.length : Math.min(body.length, Number(jsonLength) || 0);
    return MICROS_PER_JSON_BYTE * json + MICROS_PER_PIXEL * (body.length - json);
  }
  if (mediaType === "application/json") {
    return MICROS_PER_JSON_BYTE * body.length + jsonPicturesMicros(body, pictures);
  }
  if (form === "classify" && mediaType === "application/octet-stream") return MICROS_PER_PIXEL * body.length;
  if (form === "classify" && mediaType === "multipart/form-data") {
    return sum(filesOf(body, contentType, limits.maxBatchSize).map((file) => pictureMicros(file, pictures)));
  }
  return pictureMicros(body, pictures);
}

const QUOTE = 0x22, BACKSLASH = 0x5c;
/** Strings that are looked at: far more than a document may have. */
const MAX_STRINGS = 65_536;
/** Characters of a string that may be a picture. */
const SHORTEST_PICTURE = 40;
/** Bytes of base64 in which a header is searched: a JPEG's may come after a preview of 64 kB. */
const HEADER_CHARACTERS = 98_304;
const LATIN1 = new TextDecoder("latin1");

/** The pictures that a JSON document contains as base64, found without parsing it. */
function jsonPicturesMicros(body: Uint8Array, limits: PictureLimits): number {
  let micros = 0;
  for (let open = body.indexOf(QUOTE), count = 0; open >= 0 && count < MAX_STRINGS; count++) {
    const close = body.indexOf(QUOTE, open + 1);
    if (close < 0) break;
    if (close - open > SHORTEST_PICTURE) {
      const head = LATIN1.decode(body.subarray(open + 1, Math.min(close, open + 1 + HEADER_CHARACTERS)));
      micros += pictureMicros(decodeStart(head), limits, (close - open) * 3 / 4);
    }
    open = body.indexOf(QUOTE, close + 1);
  }
  return micros;
}

/** As many bytes as base64 gives; none if it is something else. */
function decodeStart(text: string): Uint8Array {
  // Some programs write "/" as "\/".
  const plain = text.includes(String.fromCharCode(BACKSLASH)) ? text.replaceAll("\\/", "/") : text;
  const base64 = plain.startsWith("data:") ? plain.slice(plain.indexOf(",") + 1) : plain;
  try {
    return Uint8Array.fromBase64(base64, { lastChunkHandling: "stop-before-partial" });
  } catch {
    return new Uint8Array();
  }
}

function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
