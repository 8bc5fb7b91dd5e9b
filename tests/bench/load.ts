/**
 * Sends one kind of request a number of times: JSON lines in that say what, JSON lines out that say what came
 * of it. It is a program of its own, so that the generator does not share a thread with what it measures, and
 * one for all measurements, so that its code is as warm in the last as in the first.
 *
 * @module
 */
import autocannon from "autocannon";
import { Buffer } from "node:buffer";
import { createInterface } from "node:readline";
import process from "node:process";

/** What is sent. */
export interface Load {
  url: string;
  connections: number;
  amount: number;
  /** A body in base64 and its type; a GET without. */
  body?: string;
  type?: string;
}

/** What came back. */
export interface Outcome {
  /** Requests per second, from the first answer to the last. */
  rate: number;
  /** Latencies in ms. */
  p50: number;
  p99: number;
  /** Answers other than 200, and requests without an answer. */
  failed: number;
}

async function fire({ url, connections, amount, body, type }: Load): Promise<Outcome> {
  // autocannon's own latencies are whole milliseconds and its durations whole seconds, so both are taken here.
  const latencies: number[] = [];
  let failed = 0, first = 0, last = 0;
  const instance = autocannon({
    url,
    connections,
    amount,
    // How often, in ms, it looks whether it is done.
    sampleInt: 50,
    ...(body !== undefined && {
      method: "POST",
      body: Buffer.from(body, "base64"),
      headers: { "content-type": type! },
    }),
  });
  instance.on("response", (_client: unknown, status: number, _bytes: number, latency: number) => {
    last = performance.now();
    first ||= last - latency;
    latencies.push(latency);
    if (status !== 200) failed++;
  });
  const { errors } = await instance;
  latencies.sort((a, b) => a - b);
  const quantile = (q: number): number => latencies[Math.floor(q * (latencies.length - 1))] ?? NaN;
  return {
    rate: latencies.length / (last - first) * 1000,
    p50: quantile(0.5),
    p99: quantile(0.99),
    failed: failed + errors,
  };
}

if (import.meta.main) {
  for await (const line of createInterface({ input: process.stdin })) {
    // deno-lint-ignore no-console -- the parent reads it
    console.log(JSON.stringify(await fire(JSON.parse(line))));
  }
}

/** The program, running. */
export class Generator implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: AsyncIterator<string>;

  constructor() {
    this.#process = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", import.meta.url],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#writer = this.#process.stdin.getWriter();
    this.#lines = linesOf(this.#process.stdout);
  }

  /** @throws {Error} if the program has ended, of which it says the reason itself */
  async fire(load: Load): Promise<Outcome> {
    await this.#writer.write(new TextEncoder().encode(`${JSON.stringify(load)}\n`));
    const { done, value } = await this.#lines.next();
    if (done) throw new Error("Cannot measure the server as the load generator has ended");
    return JSON.parse(value);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.close().catch(() => {});
    await this.#process.status;
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}
