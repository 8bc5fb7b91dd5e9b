/**
 * Programs that run until they are stopped, with what they write.
 *
 * @module
 */

export interface ChildProgram {
  pid: number;
  /** Resolves when it has ended. */
  ended: Promise<void>;
  /** What it has written so far. */
  output(): string;
  /** Waits until it has written something; rejects if it ends first. */
  until(pattern: RegExp): Promise<RegExpExecArray>;
  /** Sends a signal and waits for the end. */
  stop(signal: Deno.Signal): Promise<Deno.CommandStatus>;
}

/** Starts a program. */
export function startProgram(
  program: string,
  options: Pick<Deno.CommandOptions, "args" | "env" | "cwd">,
): ChildProgram {
  const child = new Deno.Command(program, { ...options, stdout: "piped", stderr: "piped" }).spawn();
  let heard = "";
  const waiting = new Set<() => void>();
  const listen = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      heard += text;
      for (const check of waiting) check();
    }
  };
  const ended = Promise.all([listen(child.stdout), listen(child.stderr)]).then(() => {});
  return {
    pid: child.pid,
    ended,
    output: () => heard,
    async until(pattern): Promise<RegExpExecArray> {
      const { promise, resolve, reject } = Promise.withResolvers<RegExpExecArray>();
      const check = (): void => {
        const found = pattern.exec(heard);
        if (found) resolve(found);
      };
      waiting.add(check);
      check();
      ended.then(() => reject(new Error(`the program ended: ${heard}`)));
      try {
        return await promise;
      } finally {
        waiting.delete(check);
      }
    },
    async stop(signal): Promise<Deno.CommandStatus> {
      try {
        child.kill(signal);
      } catch {
        // It has ended already.
      }
      await ended;
      return await child.status;
    },
  };
}
