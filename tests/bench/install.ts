/**
 * How long the first command takes: a fresh checkout in a folder with a space, an empty cache of Deno, one command.
 *
 * @module
 */
import { print } from "../../train/cli/command.ts";

const ROOT = new URL("../../", import.meta.url);
const MEGABYTE = 1e6;

/** Each command and what it prints, on either stream, once it has done what one waits for. */
const COMMANDS: { args: string[]; until?: RegExp }[] = [
  { args: ["serve"], until: /"message":"ready"/ },
  { args: ["quickstart", "--help"] },
  { args: ["train", "--help"] },
  { args: ["deploy", "--dry-run", "--outdir", "dist"] },
];

/** Installs for each command from an empty cache and prints its size and seconds, the network's included. */
export async function benchInstall(signal: AbortSignal): Promise<void> {
  print("\nFrom a fresh checkout and an empty DENO_DIR, downloads included");
  for (const { args, until } of COMMANDS) {
    signal.throwIfAborted();
    const folder = await Deno.makeTempDir({ prefix: "selvedge install " });
    try {
      const checkout = `${folder}/checkout`;
      await clone(checkout);
      const seconds = await time(args, until, checkout, `${folder}/deno`);
      // Packages in node_modules are links to these files, or copies of them. Deno's own caches are not counted.
      const megabytes = await sizeOf(`${folder}/deno/npm`, new Set()) / MEGABYTE;
      print(
        `  ${`deno task ${args[0]}`.padEnd(42)} ${seconds.toFixed(1).padStart(5)} s  ${
          megabytes.toFixed(0).padStart(5)
        } MB of packages`,
      );
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  }
}

async function clone(checkout: string): Promise<void> {
  const git = new Deno.Command("git", {
    args: ["clone", "--quiet", ".", checkout],
    cwd: ROOT,
    stderr: "inherit",
  });
  const { success } = await git.output();
  if (!success) throw new Error("Cannot measure the installation as git must clone the repository");
}

/** Seconds until a command ends, or prints what `until` matches and is then stopped. */
async function time(args: string[], until: RegExp | undefined, cwd: string, cache: string): Promise<number> {
  const startMs = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", ...args],
    cwd,
    env: { DENO_DIR: cache, PORT: "0", NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let output = "", seconds: number | undefined;
  const listen = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      output += text;
      if (seconds === undefined && until?.test(output)) {
        seconds = (performance.now() - startMs) / 1000;
        child.kill("SIGTERM");
      }
    }
  };
  await Promise.all([listen(child.stdout), listen(child.stderr)]);
  const { code } = await child.status;
  if (until ? seconds === undefined : code !== 0) {
    throw new Error(`Cannot measure deno task ${args.join(" ")} as it must succeed: ${output}`);
  }
  return seconds ?? (performance.now() - startMs) / 1000;
}

/** Bytes of the files in a folder; a file with several names counts once. */
async function sizeOf(folder: string, seen: Set<number>): Promise<number> {
  let bytes = 0;
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) {
      bytes += await sizeOf(path, seen);
      continue;
    }
    const { ino, size } = await Deno.lstat(path);
    if (ino !== null && seen.has(ino)) continue;
    if (ino !== null) seen.add(ino);
    bytes += size;
  }
  return bytes;
}
