/**
 * What one request may ask for. The smallest home is a Cloudflare isolate: 128 MB of memory for all the
 * requests that it answers at a time, on one thread
 * (https://developers.cloudflare.com/workers/platform/limits/, as of November 2026).
 *
 * @module
 */

/**
 * Bytes of a body. The longest JSON of {@linkcode MAX_IMAGES} 28×28 images with four characters a number is
 * 0.8 MB; the rest is room for pictures, and still a small part of an isolate's memory.
 */
export const MAX_BODY_BYTES = 4 * 1024 * 1024;

/**
 * Images of a request. They take about 50 µs each on one core, so this holds up others for 13 ms; more than
 * 64 at a time do not get cheaper.
 */
export const MAX_IMAGES = 256;

/**
 * Pixels of a PNG: Full HD fits. Decoding takes up to 12 bytes a pixel (16-bit red, green, blue and alpha
 * and the result), 25 MB here; and a few kB of PNG can ask for it.
 */
export const MAX_PIXELS = 2 * 1024 * 1024;

/** Classes of an answer where `top_k` does not say: enough to see what the model wavered between. */
export const DEFAULT_TOP_K = 3;
