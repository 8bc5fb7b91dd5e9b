/**
 * Searches the parameters that make something take longest: at random first, and then from the best that was found by
 * changing one parameter at a time.
 *
 * @module
 */
import fc from "fast-check";

/** What can be chosen, by name. */
export type Parameters<R> = { [K in keyof R]: fc.Arbitrary<R[K]> };

export interface Searched<R> {
  parameters: Parameters<R>;
  /** Tried first, for example what an earlier search has found. */
  starts: R[];
  /**
   * What is to be as high as possible; undefined if the recipe cannot be used. Noise may only make it lower or higher.
   */
  measure(recipe: R): Promise<number | undefined>;
  /** Whether to go on. */
  goesOn(phase: "random" | "climb"): boolean;
  seed: number;
}

export interface Best<R> {
  recipe: R;
  cost: number;
  /** How many recipes were measured. */
  tried: number;
  /** How many changes were improvements. */
  improvements: number;
}

/** @returns the costliest recipe; undefined if none can be used */
export async function searchCostliest<R extends object>(
  { parameters, starts, measure, goesOn, seed }: Searched<R>,
): Promise<Best<R> | undefined> {
  let best: Best<R> | undefined, tried = 0, improvements = 0;
  const known = new Set<string>();
  const consider = async (recipe: R): Promise<void> => {
    const text = JSON.stringify(recipe);
    if (known.has(text)) return;
    known.add(text);
    const first = await measure(recipe);
    tried++;
    if (first === undefined || first <= (best?.cost ?? 0)) return;
    // What an interruption has made slow is fast the second time.
    const cost = Math.min(first, await measure(recipe) ?? 0);
    if (best && cost <= best.cost) return;
    best = { recipe, cost, tried, improvements };
    improvements++;
  };
  const sample = <T>(arbitrary: fc.Arbitrary<T>): T => fc.sample(arbitrary, { seed: seed++, numRuns: 1 })[0]!;
  const all = fc.record(parameters) as fc.Arbitrary<R>;
  for (const start of starts) await consider(start);
  while (goesOn("random")) await consider(sample(all));
  const names = Object.keys(parameters) as (keyof R)[];
  while (best && goesOn("climb")) {
    const name = sample(fc.constantFrom(...names));
    await consider({ ...best.recipe, [name]: sample(parameters[name]) });
  }
  return best && { ...best, tried, improvements };
}
