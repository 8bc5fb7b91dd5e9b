/**
 * The entry on Cloudflare and on Deno alike: `wrangler dev`, `wrangler deploy` and
 * `deno serve serve/worker.ts` run this file.
 *
 * The model is loaded by the first request, not at start-up: a worker that needs more than a second to start
 * is refused by Cloudflare, and measured from the start of the process the first answer comes sooner.
 *
 * @module
 */
import { type App, createApp } from "./app.ts";
import { type Config, readConfig, VARIABLES } from "./config.ts";
import { createLog, describeError } from "./log.ts";
import { Problem, problemDocument } from "./problem.ts";
import { loadModel } from "./model.ts";
import { type CloudflareEnv, type DenoInfo, onCloudflare, onDeno } from "./platform.ts";
import { announce } from "./announce.ts";
import { shippedModel } from "./shipped_model.ts";

// Cloudflare's variables come with each request; elsewhere there is a process that has them.
// https://developers.cloudflare.com/workers/runtime-apis/web-standards/#navigatoruseragent
const onEdge = navigator.userAgent === "Cloudflare-Workers";

let started: { app: App; config: Config } | undefined;
if (!onEdge) started = start(readVariables());

function start(variables: Record<string, unknown>): { app: App; config: Config } {
  const texts = Object.entries(variables).filter((entry): entry is [string, string] =>
    typeof entry[1] === "string"
  );
  const config = readConfig(Object.fromEntries(texts));
  // deno-lint-ignore no-console -- this is an entry, and the console is where both platforms keep logs
  const log = createLog(config.logLevel, (line) => console.log(line));
  announce(log, config);
  const app = createApp({
    load: () => loadModel(shippedModel, { sha256: config.modelSha256 }),
    report: (error) => log("error", "failure", { error: describeError(error) }),
    config,
    log,
    hasLimiter: onEdge,
  });
  return { app, config };
}

/** `deno serve` may lack the permission to read a variable, which then has its default. */
function readVariables(): Record<string, string | undefined> {
  const { process } = globalThis as { process?: { env: Record<string, string | undefined> } };
  const variables: Record<string, string | undefined> = {};
  for (const { name } of VARIABLES) {
    try {
      variables[name] = process?.env[name];
    } catch {
      // Said at the start: which settings are in force is in the log.
    }
  }
  return variables;
}

/** Answers a request; the second argument is the platform's own. */
async function fetch(
  request: Request,
  platform?: CloudflareEnv | DenoInfo,
  context?: { waitUntil(promise: Promise<unknown>): void },
): Promise<Response> {
  if (!onEdge) {
    const { app, config } = started!;
    return await app.fetch(
      request,
      onDeno(request, platform as DenoInfo | undefined, config.clientAddressHeader),
    );
  }
  try {
    started ??= start(platform as CloudflareEnv);
  } catch (error) {
    // deno-lint-ignore no-console -- there is no log without a configuration
    console.error(describeError(error));
    return problemDocument(
      new Problem(503, "The server's configuration is invalid: the log has the details"),
    );
  }
  const { app } = started;
  // Others wait for the model too, so it must go on loading if this client hangs up.
  if (!app.engine.loaded) context?.waitUntil(app.engine.ready());
  return await app.fetch(request, onCloudflare(request, platform as CloudflareEnv));
}

export default { fetch };
