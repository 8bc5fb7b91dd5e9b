/**
 * PyTorch's quickstart as whole processes, from start to end: the tutorial's Python script, and `deno task quickstart`.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { print } from "../../train/cli/command.ts";
import { pythonCommand } from "./torch.ts";

/** Rounds are started until there are so many, or this much time has passed. */
const MAX_ROUNDS = 3, BUDGET_MS = 4 * 60_000;
/** PyTorch's threads slow each other down on a busy machine, up to a hundredfold: a run is ended then. */
const RUN_LIMIT_MS = 2 * 60_000;
const FILES = ["train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"];

/** A command, and what its runs took. */
interface Program {
  name: string;
  command: string[];
  runs: { wall: number; cpu: number }[];
}

/**
 * Prints seconds of whole runs, which take turns. Fashion-MNIST must be in FASHION_MNIST_DIR or data/fashion-mnist.
 *
 * @param threads of both programs
 */
export async function benchQuickstart(threads: number, signal: AbortSignal): Promise<void> {
  print(`\nThe quickstart from start to end with --threads ${threads}: wall seconds, CPU seconds, accuracy`);
  const source = Deno.env.get("FASHION_MNIST_DIR") ?? "data/fashion-mnist";
  const root = await Deno.makeTempDir({ prefix: "selvedge-bench-" });
  try {
    await unpack(source, `${root}/FashionMNIST/raw`);
    const script = fileURLToPath(new URL("quickstart.py", import.meta.url));
    const programs: Program[] = [
      {
        name: "tutorial in Python",
        command: [pythonCommand(), script, root, String(threads)],
        runs: [],
      },
      {
        name: "deno task quickstart",
        command: [Deno.execPath(), "task", "quickstart", "--threads", String(threads)],
        runs: [],
      },
    ];
    const endMs = performance.now() + BUDGET_MS;
    for (let round = 0; round < MAX_ROUNDS && (round === 0 || performance.now() < endMs); round++) {
      for (const program of programs) {
        signal.throwIfAborted();
        const { wall, cpu, accuracy } = await runProgram(program.command, signal);
        program.runs.push({ wall, cpu });
        print(
          `  ${program.name.padEnd(30)} ${wall.toFixed(1).padStart(6)} ${
            cpu.toFixed(1).padStart(6)
          }  ${accuracy}`,
        );
      }
    }
    const [peer, ours] = programs.map(({ runs }) => ({
      wall: median(runs.map(({ wall }) => wall)),
      cpu: median(runs.map(({ cpu }) => cpu)),
    }));
    const ratio = (key: "wall" | "cpu"): string => `${(ours![key] / peer![key]).toFixed(2)}×`;
    print(`  ratio of the medians           ${ratio("wall").padStart(6)} ${ratio("cpu").padStart(6)}`);
  } catch (error) {
    if (signal.aborted) throw error;
    print(`  not run: ${(error as Error).message}`);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

/** The shell measures the CPU time of its children, which Deno does not report. */
async function runProgram(
  command: string[],
  signal: AbortSignal,
): Promise<{ wall: number; cpu: number; accuracy: string }> {
  const startMs = performance.now();
  const limit = AbortSignal.timeout(RUN_LIMIT_MS);
  const child = new Deno.Command("sh", {
    args: ["-c", '"$@" & trap "kill $!" TERM; wait $! || exit; times >&2', "sh", ...command],
    env: { NO_COLOR: "1" },
    signal: AbortSignal.any([signal, limit]),
  });
  const { success, stdout, stderr } = await child.output();
  const wall = (performance.now() - startMs) / 1000;
  const errors = new TextDecoder().decode(stderr);
  if (limit.aborted) throw new Error(`"${command.join(" ")}" took more than ${RUN_LIMIT_MS / 1000} s`);
  if (!success) throw new Error(`"${command.join(" ")}" failed: ${errors.slice(-300)}`);
  // The last line has the user and system time of the children, as "0m14.280s 0m0.430s".
  const times = [...errors.trimEnd().split("\n").at(-1)!.matchAll(/(\d+)m([\d.]+)s/g)];
  const cpu = times.reduce((sum, [, minutes, seconds]) => sum + 60 * Number(minutes) + Number(seconds), 0);
  const accuracy = new TextDecoder().decode(stdout).match(/Accuracy: ([\d.]+ %)/g)?.at(-1) ?? "";
  return { wall, cpu, accuracy };
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

/** Decompresses the files of the data set to the folder in which torchvision expects them. */
async function unpack(source: string, target: string): Promise<void> {
  await Deno.mkdir(target, { recursive: true });
  for (const name of FILES) {
    const file = await Deno.open(`${source}/${name}-ubyte.gz`);
    const unpacked = await Deno.create(`${target}/${name}-ubyte`);
    await file.readable.pipeThrough(new DecompressionStream("gzip")).pipeTo(unpacked.writable);
  }
}
