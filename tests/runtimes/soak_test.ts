import { assert } from "@std/assert";
import {
  type InspectedServer,
  startInspectedDeno,
  startInspectedWorkerd,
} from "../helpers/inspected_server.ts";
import { soak } from "../helpers/soak.ts";

const REQUESTS = 20_000;

for (const [name, start] of Object.entries({ Deno: startInspectedDeno, workerd: startInspectedWorkerd })) {
  Deno.test(`${REQUESTS} mutated requests make no error of a server's own on ${name}, and leave no memory behind`, async () => {
    await using server: InspectedServer = await start();
    const { statuses } = await soak(server, { requests: REQUESTS, seed: randomSeed() });
    // Else the mutations were all too crude or all too harmless to try anything.
    for (const status of [200, 400]) assert((statuses.get(status) ?? 0) > REQUESTS / 20, `${[...statuses]}`);
  });
}

/** The message of a failure has it, and `deno task soak --seed N` repeats the requests. */
function randomSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]! >>> 1;
}
