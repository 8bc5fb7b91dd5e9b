/**
 * How large a data set of one's own may be, each bound in one place with its reason.
 *
 * @module
 */

/** One class leaves nothing to tell apart. */
export const MIN_CLASSES = 2;
/** ImageNet has as many; beyond them, a network as small as ours has nothing to say. */
export const MAX_CLASSES = 1000;

/** Pixels along one side. Below, nothing can be seen; above, the first layer alone outgrows 100 million weights. */
export const MIN_SIDE = 8;
export const MAX_SIDE = 256;

/** Pixels of one picture: a photograph of a modern telephone has about 50 million. */
export const MAX_PIXELS = 64_000_000;
/** Bytes of one picture's file, for nothing larger is a photograph of {@linkcode MAX_PIXELS}. */
export const MAX_FILE_BYTES = 64 * 1024 * 1024;

/** Bytes of all pixels once they are fitted: they lie in one array, and a machine of 8 GB should bear it. */
export const MAX_DATASET_BYTES = 2 * 1024 ** 3;

/** The share of images that become the test split where a folder comes without one. */
export const TEST_SHARE = 0.2;

/** Files that cannot be read are skipped up to this many … */
export const MAX_SKIPPED = 100;
/** … and up to this share, but for one, which is always forgiven. */
export const MAX_SKIPPED_SHARE = 0.1;
