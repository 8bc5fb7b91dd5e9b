import { assert, assertEquals } from "@std/assert";
import { ownTurn, turn } from "../../serve/turn.ts";

Deno.test("ownTurn() gives each caller a turn of the event loop, in order", async () => {
  let turns = 0, isOver = false;
  const counting = (async () => {
    for (; !isOver; turns++) await turn();
  })();
  const taken: [number, number][] = [];
  await Promise.all(Array.from({ length: 5 }, async (_, caller) => {
    await ownTurn();
    taken.push([caller, turns]);
  }));
  isOver = true;
  await counting;
  assertEquals(taken.map(([caller]) => caller), [0, 1, 2, 3, 4]);
  for (const [i, [, at]] of taken.entries()) assert(i === 0 || at > taken[i - 1]![1], taken.join("; "));
});
