/**
 * The entry on Cloudflare and on Deno alike: `wrangler dev`, `wrangler deploy` and
 * `deno serve serve/worker.ts` run this file.
 *
 * The model is loaded by the first request, not at start-up: a worker that needs more than a second to start
 * is refused by Cloudflare, and measured from the start of the process the first answer comes sooner.
 *
 * @module
 */
import { Classifier } from "../shared/inference/classifier.ts";
import { createApp } from "./app.ts";
import { shippedModel } from "./shipped_model.ts";

const app = createApp({
  load: () => Classifier.load(shippedModel),
  // deno-lint-ignore no-console -- this is an entry, and the console is where both platforms keep logs
  report: (error) => console.error(error),
});

export default { fetch: app.fetch };
