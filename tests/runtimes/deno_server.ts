/**
 * Starts servers on Deno in processes of their own.
 *
 * @module
 */
const ROOT = new URL("../../", import.meta.url);

export interface Server extends AsyncDisposable {
  url: string;
  pid: number;
  /** What it has written so far. */
  output(): string;
  /** Waits until it has written something. */
  until(pattern: RegExp): Promise<void>;
  /** Sends a signal and waits for the end. */
  stop(signal: Deno.Signal): Promise<Deno.CommandStatus>;
}

/**
 * Starts a server in a separate process and waits until it reports its address.
 *
 * @param descriptors how many files and connections it may have open
 */
export async function start(
  args: string[],
  env: Record<string, string> = {},
  root: string | URL = ROOT,
  descriptors?: number,
): Promise<Server> {
  const [program, ...prefix] = descriptors === undefined
    ? [Deno.execPath()]
    : ["/bin/sh", "-c", `ulimit -n ${descriptors} && exec "$@"`, "sh", Deno.execPath()];
  const child = new Deno.Command(program!, {
    args: [...prefix, ...args],
    env,
    cwd: root,
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const heard: string[] = [];
  const waiting = new Set<() => void>();
  const url = Promise.withResolvers<string>();
  const listen = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      heard.push(text);
      for (const check of waiting) check();
      const found = /http:\/\/(127\.0\.0\.1:[0-9]+)/.exec(heard.join(""));
      if (found) url.resolve(`http://${found[1]}`);
    }
  };
  const listening = Promise.all([listen(child.stdout), listen(child.stderr)]);
  listening.then(() => url.reject(new Error(`the server ended: ${heard.join("")}`)));
  const stop = async (signal: Deno.Signal): Promise<Deno.CommandStatus> => {
    try {
      child.kill(signal);
    } catch {
      // It has ended already.
    }
    await listening;
    return await child.status;
  };
  try {
    return {
      url: await url.promise,
      pid: child.pid,
      output: () => heard.join(""),
      until: (pattern) =>
        new Promise((resolve, reject) => {
          const check = (): void => {
            if (pattern.test(heard.join(""))) resolve();
          };
          waiting.add(check);
          check();
          listening.then(() => reject(new Error(`the server ended: ${heard.join("")}`)));
        }),
      stop,
      async [Symbol.asyncDispose](): Promise<void> {
        await stop("SIGKILL");
      },
    };
  } catch (error) {
    await stop("SIGKILL");
    throw error;
  }
}

/** No more than a server needs: loopback to listen on, its variables, and the model to read. */
export const MAIN = ["run", "--allow-net=127.0.0.1", "--allow-env", "--allow-read", "serve/main.ts"];

/** Runs serve/main.ts where it must end by itself. */
export async function run(
  args: string[],
  env: Record<string, string> = {},
): Promise<[number, string, string]> {
  const command = new Deno.Command(Deno.execPath(), { args: [...MAIN, ...args], env, cwd: ROOT });
  const { code, stdout, stderr } = await command.output();
  return [code, new TextDecoder().decode(stdout), new TextDecoder().decode(stderr)];
}
