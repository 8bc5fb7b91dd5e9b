/**
 * The interface of data sets for the rest of the trainer.
 *
 * @module
 */
import type { Preprocessing } from "../../shared/image.ts";

/** Images and labels of one split. */
export interface Split {
  /** `[count, channels, height, width]`, row-major, `0..255`; in grey, 0 is the background. */
  images: Uint8Array;
  /** `[count]`, each an index into the data set's labels; two bytes each where there are more than 256. */
  labels: Uint8Array | Uint16Array;
  /** Number of images. */
  count: number;
  /** What a backbone made of the images; absent if the model learns from the pixels. */
  features?: Features;
}

/** Features of the images of a split, which the model learns from in place of their pixels. */
export interface Features {
  /** `[count, views, size]`, row-major; the first view is the image itself, the others are augmentation. */
  values: Float32Array;
  /** Features of an image. */
  size: number;
  /** Views of an image. */
  views: number;
}

/** A training split and a test split that share one set of labels. */
export interface Dataset {
  /** As `fashion-mnist`. */
  name: string;
  /** Class names, in the order of the class indices. */
  labels: readonly string[];
  /** 1 is grey; 3 is red, green and blue, one plane after the other. */
  channels: 1 | 3;
  /** Pixels. */
  height: number;
  /** Pixels. */
  width: number;
  /** Images to train on, and for validation. */
  train: Split;
  /** Images for the final measurement only. */
  test: Split;
  /**
   * How many images at the end of the training split are the data set's own validation images; absent if it
   * has none, and the recipe holds out some of the training images instead.
   */
  validation?: number;
  /** How its pictures were fitted; absent if by the default of the channels. */
  preprocessing?: Preprocessing;
  /** The seed of the test split; absent if the data set has its own split. */
  splitSeed?: number;
  /** SHA-256 in hex over train images, train labels, test images and test labels, bytes only, no file headers. */
  sha256: string;
  /** Where it came from, for people: a directory, or "drawn by code". */
  source: string;
}

/** Progress to show: `done` of `total`, which may be unknown. */
export interface DatasetProgress {
  /** Name of the file or folder. */
  label: string;
  /** What has been done so far. */
  done: number;
  /** Absent if it is unknown. */
  total?: number;
  /** What is counted; bytes if absent. */
  unit?: "bytes" | "images";
}

/** How to load a data set. */
export interface DatasetOptions {
  /** Directory that holds a built-in data set's files. */
  data?: string;
  /** Pixels along each side that pictures of a folder are fitted into; 28 if absent. */
  imageSize?: number;
  /** What pictures of a folder become: 1 is grey, the default; 3 is red, green and blue. */
  channels?: 1 | 3;
  /** How pictures of a folder are fitted; the default is that of the channels. */
  preprocessing?: Preprocessing;
  /** The names of an IDX set's classes; a folder of pictures has its own, which must be these then. */
  labels?: readonly string[];
  /** Draws the test split where a folder comes without one; 0 if absent. */
  splitSeed?: number;
  /** Called with the progress of a download or of decoding. */
  onProgress?: (progress: DatasetProgress) => void;
  /** Called with warnings that do not stop the loading, for example about skipped files. */
  onNote?: (line: string) => void;
  /** Stops the loading. */
  signal?: AbortSignal;
}
