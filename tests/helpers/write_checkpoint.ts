/**
 * Writes a checkpoint of 64 kB into the folder that is its argument; `checkpoint_test.ts` runs it with too little space.
 *
 * @module
 */
import { writeCheckpoint } from "../../train/artifact/checkpoint.ts";
import { RECIPES } from "../../train/learning/recipe.ts";

await writeCheckpoint(
  Deno.args[0]!,
  { dataset: "none", data: "", recipe: RECIPES.quickstart, seed: 0, backend: "cpu", version: "0" },
  { epochs: [], steps: 0, seconds: 0, numbers: new Map([["weights", new Float32Array(1 << 14)]]) },
);
