/**
 * The entry for the model that ships with the project, on Cloudflare and on Deno alike: `wrangler dev`,
 * `wrangler deploy` and `deno serve serve/worker.ts` run this file.
 *
 * @module
 */
import { createWorker, type Worker } from "./create_worker.ts";
import { shippedFiles } from "./shipped_files.ts";
import { shippedModel } from "./shipped_model.ts";

const worker: Worker = createWorker(shippedModel, shippedFiles);
export default worker;
