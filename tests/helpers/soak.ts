/**
 * Sends many mutated requests to a running server. None may end with an error of the server's own, none may hang, and
 * no memory may stay behind.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { GOOD, type Shot, shots } from "./fuzz.ts";
import type { InspectedServer, Memory } from "./inspected_server.ts";

/** Shots are made in batches, each from its own seed, so that any of them can be made again. */
const BATCH = 1000;
/** The server's limits allow more, so it never refuses a request because it is busy. */
const CONNECTIONS = 8;
/** After this time in ms a request hangs. */
const TIMEOUT_MS = 30_000;
/** The memory is measured so many times: first when all caches are full, at last at the end. */
const MEASUREMENTS = 10;
/** How long a failing request is made smaller, in ms. */
const SHRINK_MS = 60_000;

const MiB = 1024 * 1024;
/** Bytes that may be in use in the isolate more than at the first measurement: a few compiled functions. */
const MAX_GROWTH = 4 * MiB;
/** The same for the process from the middle to the end: its allocators keep what was free once. */
const MAX_RESIDENT_GROWTH = 64 * MiB;

export interface SoakOptions {
  /** Number of requests. */
  requests: number;
  /** The same seed makes the same requests. */
  seed: number;
  signal?: AbortSignal;
  /** Receives the number of requests so far. */
  onProgress?: (done: number) => void;
}

/** What came back. */
export interface SoakReport {
  /** Number of answers by status. */
  statuses: Map<number, number>;
  /** After each tenth of the requests. */
  memory: Memory[];
}

/** A request that was not answered as it must be. */
export class FailedShot extends Error {
  /** @param at the seed and the number of the request */
  constructor(
    readonly shot: Shot,
    readonly at: { seed: number; number: number },
    override readonly cause: unknown,
  ) {
    super(`Request ${at.number} of --seed ${at.seed}: ${cause instanceof Error ? cause.message : cause}`);
  }
}

/**
 * Sends the requests, and a good one before and after them.
 *
 * @throws {FailedShot} for the first request that got a status of 500 or more, none in time, or an answer in another form
 * than the route's
 * @throws {Error} if memory is not flat, the good request is answered differently at the end, or the server has logged an
 * error
 */
export async function soak(server: InspectedServer, options: SoakOptions): Promise<SoakReport> {
  const { requests } = options;
  const statuses = new Map<number, number>();
  const wanted = await labelOf(server.url);
  const memory: Memory[] = [];
  const until = (part: number): number => Math.ceil(part * requests / MEASUREMENTS);
  for (let part = 0; part < MEASUREMENTS; part++) {
    await sendAll(server.url, options, [until(part), until(part + 1)], statuses);
    memory.push(await server.memory());
  }
  assertEquals(await labelOf(server.url), wanted);
  checkFlat(memory);
  const errors = server.output().split("\n").filter((line) => line.includes('"level":"error"'));
  assertEquals(errors, []);
  return { statuses, memory };
}

/** Sends the requests of a range. */
async function sendAll(
  url: string,
  { seed, signal, onProgress }: SoakOptions,
  [from, to]: [number, number],
  statuses: Map<number, number>,
): Promise<void> {
  const next = shotsBetween(seed, from, to);
  let done = from, failed: FailedShot | undefined;
  await Promise.all(Array.from({ length: CONNECTIONS }, async () => {
    for (const { shot, number } of next) {
      signal?.throwIfAborted();
      if (failed) return;
      try {
        const status = await fire(url, shot);
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      } catch (error) {
        failed ??= new FailedShot(shot, { seed, number }, error);
      }
      if (++done % BATCH === 0) onProgress?.(done);
    }
  }));
  if (failed) throw await shrink(url, failed);
}

/** The requests of a range; several loops can take from it. */
function* shotsBetween(seed: number, from: number, to: number): Generator<{ shot: Shot; number: number }> {
  let batch: Shot[] = [];
  for (let number = from; number < to; number++) {
    if (number === from || number % BATCH === 0) {
      batch = fc.sample(shots, { seed: seed + Math.floor(number / BATCH), numRuns: BATCH });
    }
    yield { shot: batch[number % BATCH]!, number };
  }
}

/** Repeats the failing request's batch one by one, and makes the first that fails again smaller. */
async function shrink(url: string, failed: FailedShot): Promise<FailedShot> {
  const { seed, number } = failed.at;
  const { counterexample, errorInstance } = await fc.check(
    fc.asyncProperty(shots, async (shot) => void await fire(url, shot)),
    {
      seed: seed + Math.floor(number / BATCH),
      numRuns: BATCH,
      interruptAfterTimeLimit: SHRINK_MS,
    },
  );
  return counterexample ? new FailedShot(counterexample[0], failed.at, errorInstance) : failed;
}

/** @returns the status */
async function fire(url: string, shot: Shot): Promise<number> {
  const response = await send(url, shot);
  const text = await response.text();
  assert(response.status < 500, `${response.status} ${text}`);
  // Either an answer or a reason, in the form of the route.
  if (response.status !== 200) {
    const { detail, error } = JSON.parse(text);
    assertEquals(typeof (shot.path.startsWith("/v1") ? detail : error), "string", text);
  } else if (!response.headers.has("inference-header-content-length")) JSON.parse(text);
  return response.status;
}

async function send(url: string, { path, type, body, jsonLength }: Shot): Promise<Response> {
  const headers = new Headers({ "content-type": type });
  if (jsonLength !== undefined) headers.set("inference-header-content-length", String(jsonLength));
  return await fetch(url + path, { method: "POST", headers, body, signal: AbortSignal.timeout(TIMEOUT_MS) });
}

async function labelOf(url: string): Promise<string> {
  const response = await send(url, GOOD);
  assertEquals(response.status, 200);
  return (await response.json()).predictions[0].label;
}

function checkFlat(memory: Memory[]): void {
  const first = memory[0]!, middle = memory[(MEASUREMENTS >> 1) - 1]!, last = memory.at(-1)!;
  const growth = last.inUse - first.inUse, residentGrowth = last.resident - middle.resident;
  const all = JSON.stringify(memory);
  assert(growth < MAX_GROWTH, `The isolate has grown by ${growth} bytes since 10 % of the requests: ${all}`);
  assert(
    residentGrowth < MAX_RESIDENT_GROWTH,
    `The process has grown by ${residentGrowth} bytes since half of the requests: ${all}`,
  );
}
