/**
 * Downloads a file whose size and SHA-256 are known beforehand. It is written only after both were checked, and in
 * one step, so that an interrupted download leaves no broken file.
 *
 * @module
 */
import { join } from "node:path";
import { replaceFile } from "../files/replace_file.ts";
import { sha256 } from "./digest.ts";

/** A file with known size and content. */
export interface RemoteFile {
  name: string;
  /** Bytes. */
  size: number;
  /** Hex. */
  sha256: string;
}

/** Progress and limits of a download. */
export interface DownloadOptions {
  /** Receives the number of bytes so far. */
  onProgress?: (done: number) => void;
  /** Cancels the download. */
  signal?: AbortSignal;
  /** How long a connection may be silent, in ms. */
  stallTimeout?: number;
}

/** No mirror had the file. */
export class DownloadError extends Error {
  override name = "DownloadError";
  /** One line for each mirror. */
  readonly reasons: readonly string[];

  constructor(message: string, reasons: readonly string[]) {
    super(message);
    this.reasons = reasons;
  }
}

/** Long enough for a slow connection, short enough to wait for. */
const STALL_TIMEOUT_MS = 20_000;

/**
 * Downloads a file into a directory, from the first mirror that has it, and replaces the existing file.
 *
 * @param mirrors addresses that end in a slash, tried in order
 * @param directory created if it does not exist
 * @returns the file's bytes
 * @throws {DownloadError} if no mirror has that exact file
 * @throws the signal's reason, if it is aborted
 */
export async function download(
  file: RemoteFile,
  mirrors: readonly string[],
  directory: string,
  options: DownloadOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const reasons: string[] = [];
  for (const mirror of mirrors) {
    const url = mirror + file.name;
    let bytes;
    try {
      bytes = await receive(url, file, options);
    } catch (error) {
      options.signal?.throwIfAborted();
      reasons.push(`${url}: ${(error as Error).message}`);
      continue;
    }
    await replaceFile(join(directory, file.name), bytes);
    return bytes;
  }
  throw new DownloadError(`Cannot download "${file.name}" as no mirror has it`, reasons);
}

async function receive(
  url: string,
  file: RemoteFile,
  options: DownloadOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const { onProgress, signal, stallTimeout = STALL_TIMEOUT_MS } = options;
  signal?.throwIfAborted();
  const stalled = new AbortController();
  const giveUp = (): void => stalled.abort(new Error(`no data received for ${stallTimeout} ms`));
  let timer = setTimeout(giveUp, stallTimeout);
  try {
    const response = await fetch(url, {
      signal: signal ? AbortSignal.any([signal, stalled.signal]) : stalled.signal,
    });
    if (!response.ok || response.body === null) {
      await response.body?.cancel();
      throw new Error(`the status must be 200: current value is ${response.status}`);
    }
    const bytes = new Uint8Array(file.size);
    let done = 0;
    onProgress?.(done);
    for await (const chunk of response.body) {
      clearTimeout(timer);
      timer = setTimeout(giveUp, stallTimeout);
      // Leaving the loop closes the connection: a server cannot send more than expected.
      if (done + chunk.length > file.size) {
        throw new Error(`the size must be ${file.size} bytes: there are more`);
      }
      bytes.set(chunk, done);
      done += chunk.length;
      onProgress?.(done);
    }
    if (done < file.size) throw new Error(`the size must be ${file.size} bytes: current size is ${done}`);
    const found = sha256(bytes);
    if (found !== file.sha256) {
      throw new Error(`the SHA-256 must be ${file.sha256}: current value is ${found}`);
    }
    return bytes;
  } finally {
    clearTimeout(timer);
  }
}
