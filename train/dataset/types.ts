/**
 * What every data set looks like to the rest of the trainer.
 *
 * @module
 */
/** Images and labels of one split. */
export interface Split {
  /** `[count, height, width]`, row-major, `0..255`: 0 is the background. */
  images: Uint8Array;
  /** `[count]`, each an index into the data set's labels. */
  labels: Uint8Array;
  count: number;
}

/** A training split and a test split that share one set of labels. */
export interface Dataset {
  name: string;
  labels: readonly string[];
  /** Pixels. */
  height: number;
  /** Pixels. */
  width: number;
  train: Split;
  test: Split;
  /** SHA-256 in hex over train images, train labels, test images and test labels, bytes only, no file headers. */
  sha256: string;
  /** Where it came from, for people: a directory, or "drawn by code". */
  source: string;
}

/** One step of a wait worth showing: `done` of `total` bytes, or of unknown many. */
export interface DatasetProgress {
  label: string;
  done: number;
  total?: number;
}

export interface DatasetOptions {
  /** Directory that holds the data set's files. */
  data?: string;
  onProgress?: (progress: DatasetProgress) => void;
  signal?: AbortSignal;
}

/** Neither data nor a network to get it from. The message says the ways out. */
export class DatasetUnavailableError extends Error {
  override name = "DatasetUnavailableError";
}
