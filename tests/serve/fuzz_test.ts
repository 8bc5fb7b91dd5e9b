import { assert, assertEquals, assertLess } from "@std/assert";
import fc from "fast-check";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createApp } from "../../serve/app.ts";
import { loadModel } from "../../serve/model.ts";
import { shippedModel } from "../../serve/shipped_model.ts";
import { GOOD, type Shot, shots } from "../helpers/fuzz.ts";
import { MAIN, start } from "../runtimes/deno_server.ts";
import { startWorkerd } from "../runtimes/workerd_server.ts";

type Fire = (shot: Shot) => Promise<Response>;

function requestOf({ type, body, jsonLength }: Shot): RequestInit {
  const headers = new Headers({ "content-type": type });
  if (jsonLength !== undefined) headers.set("inference-header-content-length", String(jsonLength));
  return { method: "POST", headers, body };
}

async function labelOf(response: Response): Promise<string> {
  assertEquals(response.status, 200);
  return (await response.json()).predictions[0].label;
}

/** Fires mutated requests. None may be the server's fault, and a good one after them is answered as before. */
async function fuzz(fire: Fire, numRuns: number): Promise<void> {
  const wanted = await labelOf(await fire(GOOD));
  const statuses = new Map<number, number>();
  await fc.assert(
    fc.asyncProperty(shots, async (shot) => {
      const response = await fire(shot);
      const text = await response.text();
      statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
      assert(response.status < 500, `${response.status} ${text}`);
      // Either an answer or a reason, in the form of the route.
      if (response.status !== 200) {
        const { detail, error } = JSON.parse(text);
        assertEquals(typeof (shot.path.startsWith("/v1") ? detail : error), "string", text);
      } else if (!response.headers.has("inference-header-content-length")) JSON.parse(text);
    }),
    { numRuns },
  );
  assertEquals(await labelOf(await fire(GOOD)), wanted);
  // Else the mutations were all too crude or all too harmless to try anything.
  for (const status of [200, 400]) assert((statuses.get(status) ?? 0) > numRuns / 20, `${[...statuses]}`);
}

const reports: unknown[] = [];
const app = createApp({ load: () => loadModel(shippedModel), report: (error) => reports.push(error) });

Deno.test("20,000 mutated requests make no error of the server's own and leave no memory behind", async () => {
  const fire: Fire = async (shot) =>
    await app.fetch(new Request(`http://localhost${shot.path}`, requestOf(shot)));
  const inUse: number[] = [];
  for (let round = 0; round < 4; round++) {
    await fuzz(fire, 5000);
    collectGarbage();
    const { heapUsed, external } = Deno.memoryUsage();
    inUse.push(heapUsed + external);
  }
  assertEquals(reports, []);
  // A leak of one image of 784 bytes a request would be 12 MB by now.
  assertLess(inUse.at(-1)! - inUse[0]!, 4 * 1024 * 1024, `bytes in use after each round: ${inUse}`);
});

/** Deno has no flag of its own for it at run time, and V8's adds it to new contexts only. */
const collectGarbage = ((): () => void => {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc");
})();

Deno.test("Real servers answer mutated requests without an error of their own", async (t) => {
  await t.step("serve/main.ts", async () => {
    await using server = await start([...MAIN, "--port=0"], { LOG_LEVEL: "error" });
    const fire: Fire = (shot) => fetch(server.url + shot.path, requestOf(shot));
    await fuzz(fire, 1000);
    const before = await residentBytes(server.pid);
    await fuzz(fire, 1000);
    const growth = await residentBytes(server.pid) - before;
    // The heap may still be growing to the size that the collector wants, of some ten MB.
    assertLess(growth, 96 * 1024 * 1024);
  });
  await t.step("workerd", async () => {
    await using server = await startWorkerd({ fuzzed: { variables: { LOG_LEVEL: "error" } } });
    await fuzz((shot) => server.workers["fuzzed"]!.send(shot.path, requestOf(shot)), 1000);
    assertEquals(server.entries(), []);
  });
});

/** What a process has in memory, on Linux; elsewhere 0. */
async function residentBytes(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`).catch(() => "");
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
}
