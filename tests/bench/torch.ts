/**
 * PyTorch, if it is installed for `python3` or for the interpreter in the variable PYTHON.
 *
 * @module
 */
import { fileURLToPath } from "node:url";

/** What pytorch.py measures: a product, steps on one batch whose last loss is read, or an epoch. */
export type TorchWork =
  | { shape: readonly number[] }
  | { batch_size: number; optimizer: "sgd" | "adamw"; steps: number }
  | { batch_size: number; optimizer: "sgd" | "default"; epoch: number };

/** What is measured, on which device, and for how many seconds at least. */
export type TorchRequest = TorchWork & { threads: number; seconds: number; device: "cpu" | "cuda" };

/** A Python process that measures on request. */
export class Torch {
  readonly version: string;
  /** Whether PyTorch can use a graphics card. */
  readonly cuda: boolean;
  readonly #process: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reader: ReadableStreamDefaultReader<string>;
  #rest = "";

  private constructor(version: string, cuda: boolean, process: Deno.ChildProcess) {
    this.version = version;
    this.cuda = cuda;
    this.#process = process;
    this.#writer = process.stdin.getWriter();
    this.#reader = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Starts the process, or returns the reason why PyTorch is unavailable. */
  static async start(): Promise<Torch | string> {
    const python = pythonCommand();
    try {
      const { success, stdout } = await new Deno.Command(python, {
        args: ["-c", "import torch; print(torch.__version__, torch.cuda.is_available())"],
        stderr: "null",
      }).output();
      if (!success) return `${python} has no torch; PYTHON can name another interpreter`;
      const script = fileURLToPath(new URL("pytorch.py", import.meta.url));
      const process = new Deno.Command(python, { args: [script], stdin: "piped", stdout: "piped" }).spawn();
      const [version = "", cuda] = new TextDecoder().decode(stdout).trim().split(" ");
      return new Torch(version, cuda === "True", process);
    } catch (error) {
      return `${python} could not be started: ${(error as Error).message}`;
    }
  }

  /**
   * Seconds of each product, step or epoch.
   *
   * @throws {Error} if Python has stopped
   */
  async measure(request: TorchRequest): Promise<number[]> {
    await this.#writer.write(new TextEncoder().encode(`${JSON.stringify(request)}\n`));
    while (!this.#rest.includes("\n")) {
      const { done, value } = await this.#reader.read();
      if (done) throw new Error("Cannot measure PyTorch as its process has stopped");
      this.#rest += value;
    }
    const end = this.#rest.indexOf("\n");
    const line = this.#rest.slice(0, end);
    this.#rest = this.#rest.slice(end + 1);
    return JSON.parse(line);
  }

  async close(): Promise<void> {
    await this.#writer.close();
    await this.#process.status;
  }
}

/** The Python that is measured. */
export function pythonCommand(): string {
  return Deno.env.get("PYTHON") ?? "python3";
}
