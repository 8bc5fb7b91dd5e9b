/**
 * Replaces a file as a whole or not at all.
 *
 * @module
 */

/**
 * Writes beside the file, checks and renames, so that a full disk or a crash leaves the old file whole.
 *
 * @param verify throws if the bytes that came to lie on the disk are not to be kept
 * @throws {Error} whatever the disk or `verify` says; nothing half-written is left behind
 */
export async function replaceFile(
  file: string,
  bytes: Uint8Array,
  verify?: (bytes: Uint8Array<ArrayBuffer>) => Promise<void>,
): Promise<void> {
  const partial = `${file}.partial`;
  try {
    using handle = await Deno.open(partial, { write: true, create: true, truncate: true });
    for (let written = 0; written < bytes.length;) written += await handle.write(bytes.subarray(written));
    await handle.sync();
    await verify?.(await Deno.readFile(partial));
    await Deno.rename(partial, file);
  } catch (error) {
    await Deno.remove(partial).catch(() => {});
    throw error;
  }
}
