/**
 * PyTorch's quickstart from start to end, as whole processes: the tutorial's own script, and `deno task quickstart`.
 *
 * @module
 */
import { print } from "../../train/cli/command.ts";
import { pythonCommand } from "./torch.ts";

const ROUNDS = 3;
const FILES = ["train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"];

/** Seconds of whole runs, which take turns. Fashion-MNIST is in FASHION_MNIST_DIR or data/fashion-mnist. */
export async function benchQuickstart(signal: AbortSignal): Promise<void> {
  print("\nThe quickstart from start to end, seconds; the best and the median of " + ROUNDS);
  const source = Deno.env.get("FASHION_MNIST_DIR") ?? "data/fashion-mnist";
  const root = await Deno.makeTempDir({ prefix: "selvedge-bench-" });
  try {
    await unpack(source, `${root}/FashionMNIST/raw`);
    const threads = [1, 2];
    const runs = threads.flatMap((threads) => [
      {
        name: `tutorial in Python, ${threads} thread${threads > 1 ? "s" : ""}`,
        command: new Deno.Command(pythonCommand(), {
          args: [new URL("quickstart.py", import.meta.url).pathname, root, String(threads)],
        }),
      },
      {
        name: `deno task quickstart --threads ${threads}`,
        command: new Deno.Command(Deno.execPath(), {
          args: ["task", "quickstart", "--threads", String(threads)],
          env: { NO_COLOR: "1" },
        }),
      },
    ]);
    const found = runs.map(({ name, command }) => ({ name, command, seconds: [] as number[], result: "" }));
    for (let round = 0; round < ROUNDS; round++) {
      for (const run of found) {
        signal.throwIfAborted();
        const started = performance.now();
        const { success, stdout, stderr } = await run.command.output();
        run.seconds.push((performance.now() - started) / 1000);
        if (!success) {
          throw new Error(`Cannot run ${run.name}: ${new TextDecoder().decode(stderr).slice(-300)}`);
        }
        run.result = new TextDecoder().decode(stdout).match(/Accuracy: ([\d.]+ %)/g)?.at(-1) ?? "";
      }
    }
    for (const [i, { name, seconds, result }] of found.entries()) {
      const sorted = seconds.toSorted((a, b) => a - b), rival = found[i - i % 2]!.seconds;
      const share = i % 2 === 0 ? "" : `  ${(sorted[0]! / Math.min(...rival)).toFixed(2)}× the time`;
      print(
        `  ${name.padEnd(42)} ${sorted[0]!.toFixed(1)}  ${
          sorted[ROUNDS >> 1]!.toFixed(1)
        }  ${result}${share}`,
      );
    }
  } catch (error) {
    print(`  not run: ${(error as Error).message}`);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

/** Unpacks the data set's files to where torchvision looks for them. */
async function unpack(source: string, target: string): Promise<void> {
  await Deno.mkdir(target, { recursive: true });
  for (const name of FILES) {
    const file = await Deno.open(`${source}/${name}-ubyte.gz`);
    const unpacked = await Deno.create(`${target}/${name}-ubyte`);
    await file.readable.pipeThrough(new DecompressionStream("gzip")).pipeTo(unpacked.writable);
  }
}
