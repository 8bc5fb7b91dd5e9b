/**
 * IDX sets for the tests, under the names that the data sets use.
 *
 * @module
 */
import { gzipSync } from "node:zlib";

/** Encodes a tensor of bytes as IDX (http://yann.lecun.com/exdb/mnist/). */
export function idx(dims: number[], data: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4 + 4 * dims.length + data.length);
  bytes.set([0, 0, 8, dims.length]);
  const view = new DataView(bytes.buffer);
  for (const [i, dim] of dims.entries()) view.setUint32(4 + 4 * i, dim);
  bytes.set(data, 4 + 4 * dims.length);
  return bytes;
}

/**
 * The four files of a set, packed, with the same images in both splits.
 *
 * @param images `[N, side, side]`
 */
export function idxFiles(
  prefix: string,
  images: Uint8Array,
  labels: Uint8Array,
  { side = 28, test = "t10k" } = {},
): Record<string, Uint8Array> {
  const files: Record<string, Uint8Array> = {};
  for (const part of ["train", test]) {
    files[`${prefix}${part}-images-idx3-ubyte.gz`] = gzipSync(idx([labels.length, side, side], images));
    files[`${prefix}${part}-labels-idx1-ubyte.gz`] = gzipSync(idx([labels.length], labels));
  }
  return files;
}
