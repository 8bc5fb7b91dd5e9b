/**
 * The load generator: a program that sends one kind of request a number of times and reports rate and latencies. All
 * measurements use the same process, so that its code is as warm in the last as in the first.
 *
 * @module
 */
import autocannon from "autocannon";
import { Buffer } from "node:buffer";
import { answerLines, LineProgram } from "./line_program.ts";

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

if (import.meta.main) await answerLines(fire);

/** Starts the program. */
export function startGenerator(): LineProgram<Load, Outcome> {
  return new LineProgram(import.meta.url);
}
