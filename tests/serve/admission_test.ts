import { assertEquals, assertRejects } from "@std/assert";
import { Admission } from "../../serve/admission/admission.ts";
import { Averages } from "../../serve/admission/averages.ts";
import { FairQueue } from "../../serve/admission/fair_queue.ts";
import { Quota } from "../../serve/admission/quota.ts";
import { Turns } from "../../serve/admission/turns.ts";
import { Problem } from "../../serve/problem.ts";

function drain<T>(queue: FairQueue<T>): T[] {
  const items: T[] = [];
  while (queue.size > 0) {
    assertEquals(queue.peek() !== undefined, true);
    items.push(queue.shift()!);
  }
  assertEquals(queue.shift(), undefined);
  return items;
}

Deno.test("FairQueue gives each client its turn, however much another has sent", () => {
  const queue = new FairQueue<string>();
  for (let i = 0; i < 5; i++) queue.push("a", { cost: 10 }, `a${i}`);
  for (let i = 0; i < 2; i++) queue.push("b", { cost: 10 }, `b${i}`);
  assertEquals(drain(queue), ["a0", "b0", "a1", "b1", "a2", "a3", "a4"]);
});

Deno.test("FairQueue counts work and not items", () => {
  const queue = new FairQueue<string>();
  for (let i = 0; i < 3; i++) queue.push("large", { cost: 40 }, `large ${i}`);
  for (let i = 0; i < 8; i++) queue.push("small", { cost: 10 }, `small ${i}`);
  assertEquals(
    drain(queue).join(", "),
    [
      ...["large 0", "small 0", "small 1", "small 2", "small 3"],
      ...["large 1", "small 4", "small 5", "small 6", "small 7", "large 2"],
    ].join(", "),
  );
});

Deno.test("FairQueue lets small items pass the large ones of their own client, and keeps the order of equals", () => {
  const queue = new FairQueue<string>();
  for (const [name, cost] of [["10 a", 10], ["20 a", 20], ["1 a", 1], ["20 b", 20], ["10 b", 10]] as const) {
    queue.push("", { cost }, name);
  }
  assertEquals(drain(queue), ["1 a", "10 a", "10 b", "20 a", "20 b"]);
});

Deno.test("FairQueue gives no credit to a client that pauses", () => {
  const queue = new FairQueue<string>();
  for (let i = 0; i < 6; i++) queue.push("a", { cost: 1 }, `a${i}`);
  queue.push("b", { cost: 1 }, "b0");
  for (let i = 0; i < 4; i++) queue.shift();
  // A client that comes back, and a new one.
  for (let i = 1; i < 4; i++) queue.push("b", { cost: 1 }, `b${i}`);
  for (let i = 0; i < 3; i++) queue.push("c", { cost: 1 }, `c${i}`);
  assertEquals(drain(queue), ["b1", "c0", "a3", "b2", "c1", "a4", "b3", "c2", "a5"]);
});

Deno.test("FairQueue remembers what a client without items has used, among many others", () => {
  const queue = new FairQueue<string>();
  queue.push("large", { cost: 1e6 }, "large");
  for (let i = 0; i < 2000; i++) queue.push("a", { cost: 1 }, "a");
  assertEquals(queue.shift(), "large");
  for (let i = 0; i < 1500; i++) {
    queue.push(`client ${i}`, { cost: 1 }, "small");
    queue.shift();
    queue.shift();
  }
  queue.push("large", { cost: 1 }, "large again");
  queue.push("new", { cost: 1 }, "new");
  assertEquals(drain(queue).at(-1), "large again");
});

Deno.test("FairQueue remembers a bounded number of clients while an item waits", () => {
  const queue = new FairQueue<string>();
  // The item of this client is behind those of all others.
  queue.push("waiting", { cost: 1e9 }, "first");
  queue.push("waiting", { cost: 1 }, "second");
  queue.push("waiting", { cost: 1e9, rank: -1 }, "zeroth");
  assertEquals(queue.shift(), "zeroth");
  for (let i = 0; i < 5000; i++) {
    queue.push(`client ${i}`, { cost: 10 }, "small");
    assertEquals(queue.shift(), "small");
    assertEquals(queue.clients <= 1026, true, `${queue.clients} after ${i}`);
  }
  assertEquals(queue.size, 2);
});

Deno.test("Quota lets a client use as much as it leaves free", () => {
  const quota = new Quota(100);
  assertEquals([quota.take("a", 40), quota.take("a", 11), quota.take("a", 10)], [true, false, true]);
  assertEquals([quota.take("b", 26), quota.take("b", 25)], [false, true], "half of the rest");
  assertEquals(quota.total, 75);
  quota.give("a", 50);
  assertEquals([quota.total, quota.take("b", 25), quota.take("a", 25)], [25, true, true]);
});

Deno.test("Quota grants a single request of any size while nothing is used", () => {
  const quota = new Quota(10);
  assertEquals([quota.take("a", 1000), quota.take("b", 1)], [true, false]);
  quota.give("a", 1000);
  assertEquals([quota.total, quota.take("b", 1)], [0, true]);
});

Deno.test("Quota reserves an amount until it is disposed of", () => {
  const quota = new Quota(100);
  {
    using reserved = quota.reserve("a", 50);
    assertEquals([reserved === undefined, quota.total, quota.reserve("a", 1)], [false, 50, undefined]);
  }
  assertEquals(quota.total, 0);
});

Deno.test("Averages follow the last costs of each kind", () => {
  const averages = new Averages();
  assertEquals(averages.of("a"), 1);
  averages.add("a", 800);
  assertEquals([averages.of("a"), averages.of("b")], [800, 1]);
  averages.add("a", 1600);
  assertEquals(averages.of("a"), 900);
  for (let i = 0; i < 100; i++) averages.add("a", 50);
  assertEquals(Math.round(averages.of("a")), 50);
});

const LIMITS = { maxConcurrency: 256, queueTimeoutMs: 60_000, maxBodyBytes: 1000 };

Deno.test("Admission limits active requests, and releases them also after an error", async () => {
  const small = new Admission({ config: { ...LIMITS, maxConcurrency: 4 } });
  const gate = Promise.withResolvers<void>();
  const inside = [small.admit("a", () => gate.promise), small.admit("a", () => gate.promise)];
  assertEquals(small.active, 2);
  const error = await assertRejects(() => small.admit("a", () => Promise.resolve()), Problem);
  assertEquals([error.status, error.reason], [503, "concurrency"]);
  assertEquals(error.headers["retry-after"], "1");
  assertEquals(await small.admit("b", () => Promise.resolve("in")), "in", "another client finds room");
  gate.resolve();
  await Promise.all(inside);
  await assertRejects(() => small.admit("a", () => Promise.reject(new TypeError("mine"))), TypeError, "mine");
  assertEquals(small.active, 0);
});

Deno.test("Admission forgets requests that never end, as workerd may leave them behind", async () => {
  let now = 0;
  const small = new Admission({
    config: { ...LIMITS, maxConcurrency: 1, queueTimeoutMs: 100 },
    now: () => now,
  });
  small.admit("a", () => new Promise(() => {}));
  now = 1000;
  await assertRejects(() => small.admit("b", () => Promise.resolve()), Problem, "1 of at most 1 requests");
  now = 1001;
  assertEquals(await small.admit("b", () => Promise.resolve("in")), "in");
});

/** Work that is finished by hand. */
function work(): { run: () => Promise<void>; started: () => boolean; finish: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  let started = false;
  return {
    run: () => {
      started = true;
      return promise;
    },
    started: () => started,
    finish: resolve,
  };
}

/** Lets everything run that is not waiting for an event. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

Deno.test("Turns runs as many pieces of work at a time as it has slots, small ones first", async () => {
  const turns = new Turns({ slots: 1, queueTimeoutMs: 1000 });
  const first = work(), large = work(), small = work(), other = work();
  const runs = [
    turns.run("a", 1000, first.run),
    turns.run("a", 5000, large.run),
    turns.run("a", 2000, small.run),
    turns.run("b", 9000, other.run),
  ];
  const started = async (): Promise<boolean[]> => {
    await settle();
    return [first, large, small, other].map(({ started }) => started());
  };
  assertEquals(await started(), [true, false, false, false]);
  first.finish();
  assertEquals(await started(), [true, false, true, false]);
  small.finish();
  assertEquals(await started(), [true, false, true, true], "the other client is next");
  other.finish();
  assertEquals(await started(), [true, true, true, true]);
  large.finish();
  await Promise.all(runs);
  assertEquals(turns.queuedMicros, 0);
});

Deno.test("Turns rests before each piece of work, whether it was queued or not", async () => {
  const log: string[] = [];
  const turns = new Turns({
    slots: 1,
    queueTimeoutMs: 1000,
    rest: async () => {
      await settle();
      log.push("rest");
    },
  });
  const run = (name: string): Promise<void> => turns.run("a", 1, () => Promise.resolve(void log.push(name)));
  await Promise.all([run("one"), run("two")]);
  await run("three");
  assertEquals(log, ["rest", "one", "rest", "two", "rest", "three"]);
});

Deno.test("Turns refuses more work than can start in time, at once and for each client by itself", async () => {
  const turns = new Turns({ slots: 1, queueTimeoutMs: 100 });
  const one = work();
  const runs = [turns.run("a", 50_000, one.run), turns.run("a", 50_000, () => Promise.resolve())];
  const error = await assertRejects(() => turns.run("a", 1000, () => Promise.resolve()), Problem);
  assertEquals([error.status, error.reason, error.headers["retry-after"]], [503, "queue_full", "1"]);
  runs.push(turns.run("b", 50_000, () => Promise.resolve()));
  one.finish();
  await Promise.all(runs);
});

Deno.test("Turns fails work whose turn comes too late, and hands the slot on", async () => {
  const turns = new Turns({ slots: 1, queueTimeoutMs: 1 });
  const one = work();
  const first = turns.run("a", 1, one.run);
  const error = await assertRejects(() => turns.run("a", 1, () => Promise.resolve()), Problem);
  assertEquals([error.status, error.reason], [503, "queue_timeout"]);
  one.finish();
  await first;
  const failed = turns.run("a", 1, () => Promise.reject(new TypeError("mine")));
  await assertRejects(() => failed, TypeError, "mine");
  assertEquals(await turns.run("a", 1, () => Promise.resolve("free again")), "free again");
});

Deno.test("Turns frees a slot whose work never ends, as workerd may leave it behind", async () => {
  let now = 0;
  const turns = new Turns({ slots: 1, queueTimeoutMs: 100, now: () => now });
  turns.run("a", 1, () => new Promise(() => {}));
  await settle();
  now = 1001;
  assertEquals(await turns.run("b", 1, () => Promise.resolve("in")), "in");
});

Deno.test("Turns counts expected work as queued until it is there", async () => {
  const turns = new Turns({ slots: 1, queueTimeoutMs: 100 });
  const expected = turns.expect("a", 60_000)!;
  assertEquals([turns.queuedMicros, turns.hasRoom("a", 60_000)], [60_000, false]);
  assertEquals(turns.expect("a", 60_000), undefined);
  assertEquals(
    (await assertRejects(() => turns.run("a", 60_000, () => Promise.resolve()), Problem)).status,
    503,
  );
  expected[Symbol.dispose]();
  await turns.run("a", 60_000, () => Promise.resolve());
  assertEquals(turns.queuedMicros, 0);
});

Deno.test("Turns drops the work of clients that have disconnected before their turn", async () => {
  const turns = new Turns({ slots: 1, queueTimeoutMs: 1000 });
  const one = work(), dropped = work();
  const first = turns.run("a", 1, one.run);
  const second = turns.run("a", 1, dropped.run, () => true);
  const third = turns.run("a", 1, () => Promise.resolve("done"), () => false);
  one.finish();
  assertEquals((await assertRejects(() => second, Problem)).reason, "disconnected");
  assertEquals([dropped.started(), await third], [false, "done"]);
  await first;
});
