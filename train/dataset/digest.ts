/**
 * SHA-256, which identifies a data set: of a file, to check its content, and of the pixels and labels, to record what a
 * model was trained on, independent of the file format.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { Split } from "./types.ts";

/** SHA-256 of the parts one after the other, in hex. */
export function sha256(...parts: Uint8Array[]): string {
  // Web Crypto takes one buffer only, and these would have to be copied into it.
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
}

/** SHA-256 of train images, train labels, test images and test labels, in hex. */
export function digestSplits(train: Split, test: Split): string {
  return sha256(train.images, bytesOf(train.labels), test.images, bytesOf(test.labels));
}

function bytesOf({ buffer, byteOffset, byteLength }: Split["labels"]): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
