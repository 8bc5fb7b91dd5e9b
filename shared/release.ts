/**
 * Frees memory without waiting for the garbage collector.
 *
 * @module
 */

/**
 * Frees the memory of an array that nobody uses any more; its length is 0 afterwards. A collector frees it too, but late:
 * decoded pictures have tens of megabytes behind a small object, and a Cloudflare isolate has 128.
 *
 * @param array has its buffer for itself, which is no memory of WebAssembly
 */
export function release({ buffer }: ArrayBufferView<ArrayBuffer>): void {
  // A buffer that was transferred has nothing to free, and browsers before 2024 lack the method.
  if (!buffer.detached) buffer.transfer?.(0);
}
