/**
 * Writes to the process's own streams, in one call each, so that lines of several threads do not mix.
 *
 * @module
 */

/** Writes a line of the log. */
export function writeLine(line: string): void {
  write(Deno.stdout, `${line}\n`);
}

export function write(to: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let written = 0; written < bytes.length;) written += to.writeSync(bytes.subarray(written));
}
