/**
 * One client: a program that repeats the same request for some time and reports the answers.
 *
 * @module
 */
import { answerLines, LineProgram } from "./line_program.ts";

/** What is sent, and for how long. */
export interface Orders {
  url: string;
  type: string;
  /** In base64. */
  body: string;
  /** Requests at a time. */
  connections: number;
  /** The client's address, in the header of a proxy. */
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

if (import.meta.main) await answerLines(carryOut);

/** Starts the program. */
export function startClient(): LineProgram<Orders, Report> {
  return new LineProgram(import.meta.url);
}
