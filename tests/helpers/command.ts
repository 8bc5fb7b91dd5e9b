/**
 * Runs the project's commands as users do, each in a separate process.
 *
 * @module
 */

/** Where the real data set is, if this machine has it. */
export const FASHION_MNIST = Deno.env.get("FASHION_MNIST_DIR");

/** Why a test of the real data does not run. */
export const WITHOUT_DATA = "not run: FASHION_MNIST_DIR is not set, so there is no Fashion-MNIST";

const ROOT = new URL("../../", import.meta.url);

export interface Finished {
  code: number;
  stdout: string;
  stderr: string;
}

/** Starts `deno task NAME …` with the permissions that the task has. */
export function startTask(
  name: string,
  args: string[],
  env: Record<string, string> = {},
  root: string | URL = ROOT,
): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", name, ...args],
    cwd: root,
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** Runs `deno task NAME …` to its end. */
export async function runTask(
  name: string,
  args: string[],
  env: Record<string, string> = {},
  root: string | URL = ROOT,
): Promise<Finished> {
  return decode(await startTask(name, args, env, root).output());
}

/** Runs a program of the project without any network, however the machine is connected. */
export async function runOffline(program: string, args: string[]): Promise<Finished> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "--deny-net", "--allow-read", "--allow-write", "--allow-env", program, ...args],
    cwd: ROOT,
    env: { NO_COLOR: "1", FASHION_MNIST_DIR: "" },
    stdin: "null",
  });
  return decode(await command.output());
}

/** A step of a test. */
export type Step = [name: string, fn: () => Promise<void>];

/** Runs steps of a test that each wait for a process, as many at a time as there are cores. */
export async function runSteps(t: Deno.TestContext, steps: Step[]): Promise<void> {
  const remaining = steps.values();
  const run = async (): Promise<void> => {
    for (const [name, fn] of remaining) {
      // The sanitizers cannot tell what belongs to which step; those of the test look at all of them.
      await t.step({ name, fn, sanitizeOps: false, sanitizeResources: false, sanitizeExit: false });
    }
  };
  await Promise.all(Array.from({ length: navigator.hardwareConcurrency }, run));
}

/** Deno prints it as long as permission sets in its configuration are experimental. */
const WARNING = /^Warning Permissions in the config file is an experimental feature.*\n/;

function decode({ code, stdout, stderr }: Deno.CommandOutput): Finished {
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr).replace(WARNING, "") };
}

/** Whether a download is in the cache: then a machine without network does have the data. */
export async function isCached(): Promise<boolean> {
  return await Deno.stat(new URL("data/fashion-mnist", ROOT)).then(() => true, () => false);
}
