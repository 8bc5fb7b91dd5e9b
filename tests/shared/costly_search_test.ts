import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { searchCostliest } from "../bench/costly_search.ts";

interface Point {
  x: number;
  y: number;
  isDouble: boolean;
}

const PARAMETERS = {
  x: fc.integer({ min: 0, max: 40 }),
  y: fc.integer({ min: 0, max: 40 }),
  isDouble: fc.boolean(),
};

/** Highest at 17, 33, doubled. */
function height({ x, y, isDouble }: Point): number {
  return (isDouble ? 2 : 1) * (1000 - (x - 17) ** 2 - (y - 33) ** 2);
}

function phases(random: number, climb: number): (phase: "random" | "climb") => boolean {
  const left = { random, climb };
  return (phase) => left[phase]-- > 0;
}

Deno.test("searchCostliest() climbs from what it has found at random to the top", async () => {
  const measured: Point[] = [];
  const search = (random: number, climb: number): ReturnType<typeof searchCostliest<Point>> =>
    searchCostliest<Point>({
      parameters: PARAMETERS,
      starts: [],
      seed: 1,
      goesOn: phases(random, climb),
      measure: (point) => {
        measured.push(point);
        return Promise.resolve(height(point));
      },
    });
  const atRandom = await search(20, 0), climbed = await search(20, 1000);
  assert(atRandom!.cost < 2000);
  assertEquals(climbed!.recipe, { x: 17, y: 33, isDouble: true });
  assertEquals(await search(20, 0), atRandom);
  measured.length = 0;
  await search(0, 100);
  assertEquals(measured, [], "nothing to climb from");
});

Deno.test("searchCostliest() is not led by a measurement that does not repeat, nor by what cannot be used", async () => {
  let isFirst = true;
  const best = await searchCostliest<Point>({
    parameters: PARAMETERS,
    starts: [{ x: 1, y: 1, isDouble: false }, { x: 17, y: 33, isDouble: false }],
    seed: 1,
    goesOn: phases(0, 300),
    measure: (point) => {
      if (point.isDouble) return Promise.resolve(undefined);
      if (point.x !== 1) return Promise.resolve(height(point));
      const interrupted = isFirst ? 5000 : 0;
      isFirst = false;
      return Promise.resolve(height(point) + interrupted);
    },
  });
  assertEquals(best!.recipe, { x: 17, y: 33, isDouble: false });
  assertEquals(best!.cost, 1000);
});
