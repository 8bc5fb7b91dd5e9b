/**
 * Limits on the size of your own data sets, each with its reason.
 *
 * @module
 */

/** With one class there is nothing to distinguish. */
export const MIN_CLASSES = 2;
/** ImageNet has as many; a network as small as ours is of no use beyond that. */
export const MAX_CLASSES = 1000;

/** Pixels along one side. Below, nothing is recognizable; above, the first layer alone exceeds 100 million weights. */
export const MIN_SIDE = 8;
export const MAX_SIDE = 256;

/** Pixels of one picture: a photograph of a modern telephone has about 50 million. */
export const MAX_PIXELS = 64_000_000;
/** Bytes of one picture's file, as no photograph of {@linkcode MAX_PIXELS} is larger. */
export const MAX_FILE_BYTES = 64 * 1024 * 1024;

/**
 * Bytes of all pixels once they are fitted: they are one array, and it should fit into the memory of a machine with 8
 * GB.
 */
export const MAX_DATASET_BYTES = 2 * 1024 ** 3;

/** The share of images that become the test split where a folder comes without one. */
export const TEST_SHARE = 0.2;

/** Unreadable files are skipped up to this many … */
export const MAX_SKIPPED = 100;
/** … and up to this share of all files; one is always allowed. */
export const MAX_SKIPPED_SHARE = 0.1;
