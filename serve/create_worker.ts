/**
 * The program of an entry on Cloudflare and on Deno alike, for any model: `worker.ts` is the entry for the model
 * that ships with the project, and `deno task deploy --model` writes one for another model.
 *
 * The model is loaded by the first request, not at start-up: Cloudflare refuses a worker that needs more than a
 * second to start, and measured from the start of the process the first answer comes sooner.
 *
 * @module
 */
import { type App, createApp } from "./app.ts";
import { type Config, readConfig, requireKeys, VARIABLES } from "./config.ts";
import { bucketStore } from "./feedback/bucket.ts";
import { createLog, describeError, type Log } from "./log.ts";
import { ModelBucket } from "./models/bucket.ts";
import type { MakeModel, Repository } from "./models/models.ts";
import { ModelRegistry, type ModelSource } from "./models/registry.ts";
import { Problem, problemDocument } from "./problem.ts";
import { loadModel } from "./model.ts";
import {
  type CloudflareContext,
  type CloudflareEnv,
  type DenoInfo,
  onCloudflare,
  onDeno,
} from "./platform.ts";
import project from "../deno.json" with { type: "json" };
import { DecodePool } from "./decode/pool.ts";
import type { ModelFiles } from "./model_files.ts";
import { announce, announceCard } from "./announce.ts";
import { type OpenTelemetry, openTelemetry } from "./open_telemetry.ts";

// Cloudflare's variables come with each request; elsewhere there is a process that has them.
// https://developers.cloudflare.com/workers/runtime-apis/web-standards/#navigatoruseragent
const onEdge = navigator.userAgent === "Cloudflare-Workers";

/** What both platforms call for each request; the second argument is the platform's own. */
export interface Worker {
  fetch(
    request: Request,
    platform?: CloudflareEnv | DenoInfo,
    context?: CloudflareContext,
  ): Promise<Response>;
}

/**
 * Makes the entry of a server for one model. Outside Cloudflare it starts at once, so that invalid settings end the
 * process.
 *
 * @param model an ONNX file that follows the model contract
 * @param files what is beside it
 */
export function createWorker(model: Uint8Array<ArrayBuffer>, files: ModelFiles = {}): Worker {
  let started = onEdge ? undefined : start(model, files, readVariables());
  return {
    async fetch(request, platform, context): Promise<Response> {
      if (!onEdge) {
        const { app, config, telemetry } = started!;
        return await app.fetch(request, onDeno(request, platform as DenoInfo | undefined, config, telemetry));
      }
      try {
        started ??= start(model, files, platform as CloudflareEnv);
      } catch (error) {
        // deno-lint-ignore no-console -- there is no log without a configuration
        console.error(describeError(error));
        return problemDocument(
          new Problem(503, "The server's configuration is invalid: the log has the details"),
        );
      }
      const { app, update } = started;
      // Other requests wait for the model too, so loading must continue if this client disconnects.
      if (app.models.loaded().length === 0) context?.waitUntil(app.models.ready());
      if (update) {
        const updated = update();
        context?.waitUntil(updated);
        await app.models.ready();
      }
      return await app.fetch(request, onCloudflare(request, platform as CloudflareEnv, context));
    },
  };
}

interface Started {
  app: App;
  config: Config;
  telemetry: OpenTelemetry | undefined;
  /** Looks for new models, if it is time to. */
  update?: () => Promise<void>;
}

function start(
  model: Uint8Array<ArrayBuffer>,
  files: ModelFiles,
  variables: CloudflareEnv,
): Started {
  const texts = Object.entries(variables).filter((entry): entry is [string, string] =>
    typeof entry[1] === "string"
  );
  const config = readConfig(Object.fromEntries(texts));
  // deno-lint-ignore no-console -- this is an entry, and the console is where both platforms keep logs
  const log = createLog(config.logLevel, (line) => console.log(line));
  announce(log, config);
  announceCard(log, files);
  const { FEEDBACK: bucket } = variables;
  if (bucket) requireKeys(config, "the bucket FEEDBACK");
  const telemetry = openTelemetry(project.version);
  const report = (error: unknown): void => log("error", "failure", { error: describeError(error) });
  const { MODELS_BUCKET: models } = variables;
  let registry: ModelRegistry | undefined;
  const app = createApp({
    load: models
      ? { models: (make) => registry = startRegistry(new ModelBucket(models), { config, log, make }) }
      : () => loadModel(model, { sha256: config.modelSha256 }),
    ...(models && { repository: FIXED }),
    files: () => Promise.resolve(files),
    report,
    config,
    log,
    hasLimiter: onEdge,
    ...(bucket && { feedback: { store: bucketStore(bucket), hasRecent: false } }),
    ...(telemetry && { meter: telemetry.meter }),
    // Cloudflare has no threads.
    ...(!onEdge && { pool: new DecodePool(report) }),
  });
  return { app, config, telemetry, ...(registry && { update: updater(registry, log) }) };
}

/** In bytes: an isolate has 128 MB, of which ONNX Runtime, the decoders and requests need a part. */
const EDGE_MEMORY = 64 * 1024 * 1024;

/** In ms: how often an isolate looks for new models, as each look is billed. */
const EDGE_POLL_MS = 60_000;

/** Serves the models of a bucket. */
function startRegistry(
  source: ModelSource,
  { config, log, make }: { config: Config; log: Log; make: MakeModel },
): ModelRegistry {
  return new ModelRegistry({
    source,
    make,
    defaultName: config.model,
    memoryBytes: Math.min(config.modelsMemoryBytes, EDGE_MEMORY),
    isLazy: true,
    onEvent: (event, fields) => log(event === "model rejected" ? "warn" : "info", event, fields),
  });
}

/** Looks for new models from time to time; an isolate has no timers of its own. */
function updater(registry: ModelRegistry, log: Log): () => Promise<void> {
  let last = Date.now();
  return async (): Promise<void> => {
    if (Date.now() - last < EDGE_POLL_MS) return;
    last = Date.now();
    await registry.refresh().catch((error) => log("warn", "models unavailable", { error: String(error) }));
  };
}

const FIXED: Repository = { load: refuse, unload: refuse };

function refuse(): Promise<never> {
  return Promise.reject(
    new Problem(
      400,
      "Cannot load or unload models on Cloudflare, where each isolate has its own: change the bucket",
    ),
  );
}

/** `deno serve` may lack the permission to read a variable, which then has its default. */
function readVariables(): Record<string, string | undefined> {
  const { process } = globalThis as { process?: { env: Record<string, string | undefined> } };
  const variables: Record<string, string | undefined> = {};
  for (const { name } of VARIABLES) {
    try {
      variables[name] = process?.env[name];
    } catch {
      // Logged at the start, so that the log shows the settings in use.
    }
  }
  return variables;
}
