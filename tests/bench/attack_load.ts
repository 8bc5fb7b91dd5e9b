/**
 * One client that sends the same request over and over: a JSON line in that says which, one out that says what came of
 * it. It is a program of its own, so that it shares no thread with what it measures or with other clients.
 *
 * @module
 */
import { createInterface } from "node:readline";
import process from "node:process";

/** What is sent, and for how long. */
export interface Orders {
  url: string;
  type: string;
  /** In base64. */
  body: string;
  /** Requests at a time. */
  connections: number;
  /** The client's address, as a proxy would say it. */
  address: string;
  ms: number;
  /** Pause after each answer, in ms. */
  pauseMs: number;
}

/** What came back. */
export interface Report {
  /** Of answers with status 200, in ms, ascending. */
  latencies: number[];
  /** Number of answers by status; 0 stands for no answer. */
  statuses: Record<string, number>;
  /** Answers of status 503 without `retry-after`. */
  unadvised: number;
}

async function carryOut({ url, type, body, connections, address, ms, pauseMs }: Orders): Promise<Report> {
  const bytes = Uint8Array.fromBase64(body);
  const report: Report = { latencies: [], statuses: {}, unadvised: 0 };
  const end = performance.now() + ms;
  const headers = { "content-type": type, "x-forwarded-for": address, "cf-connecting-ip": address };
  const send = async (): Promise<void> => {
    const start = performance.now();
    let status = 0;
    try {
      const response = await fetch(url, {
        method: "POST",
        headers,
        body: bytes,
        signal: AbortSignal.timeout(Math.max(1, end - start + 5000)),
      });
      await response.arrayBuffer();
      status = response.status;
      if (status === 503 && !response.headers.has("retry-after")) report.unadvised++;
    } catch {
      // Counted as no answer.
    }
    report.statuses[status] = (report.statuses[status] ?? 0) + 1;
    if (status === 200) report.latencies.push(performance.now() - start);
  };
  await Promise.all(Array.from({ length: connections }, async () => {
    while (performance.now() < end) {
      await send();
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }));
  report.latencies.sort((a, b) => a - b);
  return report;
}

if (import.meta.main) {
  for await (const line of createInterface({ input: process.stdin })) {
    // deno-lint-ignore no-console -- the parent reads it
    console.log(JSON.stringify(await carryOut(JSON.parse(line))));
  }
}

/** The program, running. */
export class Client implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: AsyncIterator<string>;

  constructor() {
    this.#process = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", "--no-check", import.meta.url],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#writer = this.#process.stdin.getWriter();
    this.#lines = linesOf(this.#process.stdout);
  }

  /** @throws {Error} if the program has ended, of which it says the reason itself */
  async send(orders: Orders): Promise<Report> {
    await this.#writer.write(new TextEncoder().encode(`${JSON.stringify(orders)}\n`));
    const { done, value } = await this.#lines.next();
    if (done) throw new Error("Cannot measure the server as a client has ended");
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
