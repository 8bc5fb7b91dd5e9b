/**
 * Tables whose rows are measured in turns, so that a slow minute of the machine affects all of them.
 *
 * @module
 */
import { print } from "../../train/cli/command.ts";
import { Torch, type TorchWork } from "./torch.ts";

const ROUNDS = 3;

/** One row of a table. */
export interface Entry {
  name: string;
  /** Seconds of each run. */
  measure(): Promise<number[]>;
  /** Whether the others are compared with it. */
  rival?: boolean;
  /** Measured in one round only, as it takes long. */
  slow?: boolean;
}

/** Starts PyTorch, if Python has it, for the duration of a benchmark. */
export async function besideTorch(run: (torch: Torch | undefined) => Promise<void>): Promise<void> {
  const torch = await Torch.start();
  if (typeof torch === "string") {
    print(`\nWithout PyTorch: ${torch}`);
    return await run(undefined);
  }
  print(`\nPyTorch ${torch.version}; the ratios are to the rows of PyTorch, in their order`);
  try {
    await run(torch);
  } finally {
    await torch.close();
  }
}

/** PyTorch on one core, on two, and on the graphics card if there is one. */
export function rivals(torch: Torch | undefined, seconds: number, work: TorchWork, cuda = true): Entry[] {
  if (!torch) return [];
  const devices = [
    { name: "PyTorch, 1 thread", threads: 1, device: "cpu" as const },
    { name: "PyTorch, 2 threads", threads: 2, device: "cpu" as const },
    ...(cuda && torch.cuda ? [{ name: "PyTorch, CUDA", threads: 1, device: "cuda" as const }] : []),
  ];
  return devices.map(({ name, threads, device }) => ({
    name,
    rival: true,
    measure: () => torch.measure({ threads, seconds, device, ...work }),
  }));
}

/**
 * Prints the speed of the median and of the fastest run of all rounds, each with its ratios to the rivals.
 *
 * @param work of one run, in the unit of the title
 */
export async function compare(title: string, work: number, entries: Entry[]): Promise<void> {
  const seconds = entries.map((): number[] => []);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, { measure, slow }] of entries.entries()) {
      if (round === 0 || !slow) seconds[i]!.push(...await measure());
    }
  }
  const sorted = seconds.map((values) => values.sort((a, b) => a - b));
  const columns = [sorted.map((values) => values[values.length >> 1]!), sorted.map(([fastest]) => fastest!)];
  print(`\n${title}: median, fastest`);
  for (const [i, { name, rival }] of entries.entries()) {
    const cells = columns.map((column) => {
      const ratios = rival ? [] : entries.flatMap((other, j) => other.rival ? [column[j]! / column[i]!] : []);
      const beside = ratios.map((ratio) => ` ${ratio.toFixed(ratio < 0.1 ? 3 : 2)}×`).join("");
      const speed = work / column[i]!;
      return `${speed.toFixed(speed < 100 ? 1 : 0).padStart(8)}${beside.padEnd(16)}`;
    });
    print(`  ${name.padEnd(36)}${cells.join("").trimEnd()}`);
  }
}
