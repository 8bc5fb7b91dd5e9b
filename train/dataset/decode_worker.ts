/** Decodes pictures beside the main thread, one after the other: bytes in, pixels out. */
import { type InputShape, type Outcome, readPicture } from "./picture.ts";

/** A worker's own side of the channel, which the types of a main thread do not have. */
const channel = self as unknown as {
  onmessage: (event: MessageEvent<{ bytes: Uint8Array<ArrayBuffer>; shape: InputShape }>) => void;
  postMessage(outcome: Outcome, transfer: ArrayBuffer[]): void;
};

channel.onmessage = async ({ data: { bytes, shape } }) => {
  const outcome = await readPicture(bytes, shape);
  channel.postMessage(outcome, "pixels" in outcome ? [outcome.pixels.buffer] : []);
};
