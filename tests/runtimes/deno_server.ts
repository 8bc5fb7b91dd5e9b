/**
 * Starts servers on Deno in processes of their own.
 *
 * @module
 */
import { type ChildProgram, startProgram } from "../helpers/child_program.ts";

const ROOT = new URL("../../", import.meta.url);

export interface Server extends ChildProgram, AsyncDisposable {
  url: string;
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
  const child = startProgram(program!, { args: [...prefix, ...args], env, cwd: root });
  try {
    const [url] = await child.until(/http:\/\/127\.0\.0\.1:[0-9]+/);
    return {
      url,
      ...child,
      async [Symbol.asyncDispose](): Promise<void> {
        await child.stop("SIGKILL");
      },
    };
  } catch (error) {
    await child.stop("SIGKILL");
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
