/**
 * The application behind a port, on Deno: in the process's own thread, or in one of several.
 *
 * @module
 */
import project from "../deno.json" with { type: "json" };
import { MODEL_NAME_RULE, type ModelDescription } from "../shared/contract.ts";
import { InputError } from "../shared/errors.ts";
import { createNativeSession } from "../shared/inference/ort_native.ts";
import type { CreateSession } from "../shared/inference/session.ts";
import { announceCard } from "./announce.ts";
import { createApp } from "./app.ts";
import type { Config } from "./config.ts";
import { DecodePool } from "./decode/pool.ts";
import { discardBody } from "./discard.ts";
import { drainable } from "./drain.ts";
import type { FeedbackStore } from "./feedback/feedback.ts";
import { type HttpServer, keepListening } from "./keep_listening.ts";
import { describeError, type Log } from "./log.ts";
import { loadModel } from "./model.ts";
import type { ModelFiles } from "./model_files.ts";
import type { MakeModel, Repository } from "./models/models.ts";
import { ModelRegistry, type ModelSource } from "./models/registry.ts";
import { openTelemetry } from "./open_telemetry.ts";
import { onDeno } from "./platform.ts";
import { surviveRejections } from "./survive.ts";

export interface ServerOptions {
  config: Config;
  log: Log;
  /** Called once, with the address; later servers of the same process use the same one. */
  onListen: (address: Deno.NetAddr) => void;
  /** Whether other threads listen on the same port. */
  reusePort?: boolean;
  /** Changes the models in all threads; by default in this one. */
  repository?: Repository;
  /** The metrics of all threads; by default those of this one. */
  collectMetrics?: () => Promise<string>;
}

/** A server that is listening. */
export interface Server {
  /** Resolves when it was stopped, and rejects if it cannot listen any more. */
  readonly finished: Promise<void>;
  /** Changes its own models. */
  readonly repository: Repository;
  /** Its own metrics, in Prometheus' text format. */
  metrics(): string;
  /**
   * Ends it within `SHUTDOWN_TIMEOUT_MS`.
   *
   * @returns the number of requests that were not answered
   */
  stop(): Promise<number>;
}

const HOUR_MS = 60 * 60 * 1000;

/** Read, not imported as on Cloudflare, which would take 50 ms. */
const SHIPPED = new URL("../shared/artifacts/fashion-mnist/model.onnx", import.meta.url);

// Modules that need `node:fs` or `node:path` are imported where they are used: these alone take 50 ms at the start.

/** The file of the configured model. */
async function modelBytes({ model }: Config): Promise<Uint8Array<ArrayBuffer>> {
  if (model === "") return await Deno.readFile(SHIPPED);
  const { readModel } = await import("../shared/models.ts");
  return (await readModel(model)).bytes;
}

/** What is beside it; of several models, beside the default one. */
async function modelFiles({ model, models }: Config): Promise<ModelFiles> {
  if (model === "") return models === "" ? (await import("./shipped_files.ts")).shippedFiles : {};
  const { readModelFiles } = await import("./read_model_files.ts");
  if (models !== "") return await readModelFiles(`${models}/${model}/model.onnx`);
  const { findModel } = await import("../shared/models.ts");
  return await readModelFiles(await findModel(model));
}

/**
 * Checks what is a mistake in the command line, such as a wrong path; a file that is not a model is only not ready.
 *
 * @param log is told of what is only unexpected
 * @throws {InputError} if there is one
 */
export async function checkModels(config: Config, log?: Log): Promise<void> {
  if (config.models === "") {
    if (config.model === "") return;
    await modelBytes(config);
    const files = await modelFiles(config);
    if (log) announceCard(log, files);
    return;
  }
  if (config.modelSha256 !== "") {
    throw new InputError(
      "usage",
      "Cannot use MODEL_SHA256 together with MODELS: put a model's hash next to its file, in model.onnx.sha256",
    );
  }
  await (await openModels(config)).list();
}

/**
 * Starts a server.
 *
 * @throws {InputError} if the model's file cannot be read, or the address is not available
 */
export async function startServer(
  { config, log, onListen, reusePort = false, repository, collectMetrics }: ServerOptions,
): Promise<Server> {
  await checkModels(config, log);
  const telemetry = openTelemetry(project.version);
  const report = (error: unknown): void => log("error", "failure", { error: describeError(error) });
  const create = config.runtime === "native" ? createNativeSession : undefined;
  const source = config.models === "" ? undefined : await openModels(config, create, (folder) => {
    log("warn", "model ignored", { folder, error: `The name of a model ${MODEL_NAME_RULE}` });
  });
  let registry: ModelRegistry | undefined;
  const app = createApp({
    load: source
      ? { models: (make) => registry = startRegistry({ config, log, make, source }) }
      // Read again by each attempt, so that replacing a bad file fixes a running server.
      : async () =>
        await loadModel(await modelBytes(config), { sha256: config.modelSha256, ...(create && { create }) }),
    files: () => modelFiles(config),
    report,
    config,
    log,
    ...(telemetry && { meter: telemetry.meter }),
    ...(repository && { repository }),
    ...(collectMetrics && { collectMetrics }),
    ...(config.feedbackStore !== "" && {
      feedback: { store: await openFeedback(config), hasRecent: true },
    }),
    pool: new DecodePool(report, config.workers),
  });
  const { maxBodyBytes: maxBytes, bodyTimeoutMs: timeoutMs } = config;
  const { fetch, drain } = drainable(async (request, info) => {
    const response = await app.fetch(request, onDeno(request, info, config, telemetry));
    if (response.status >= 400) void discardBody(request, { maxBytes, timeoutMs });
    return response;
  });
  const { deleteOldFeedback } = app;
  if (deleteOldFeedback) {
    await deleteOldFeedback();
    Deno.unrefTimer(setInterval(() => void deleteOldFeedback().catch(report), HOUR_MS));
  }
  // Checked before listening, so that the first request is as fast as the next. A model that fails its checks does
  // not end the process: it is live but not ready, the log has the reason, and the next request tries again.
  const { ready } = await app.models.ready();
  let address: Deno.NetAddr | undefined;
  const listen = (): HttpServer => {
    const { host: hostname, port } = config;
    const isFirst = address === undefined;
    const server = Deno.serve({
      hostname,
      // A later server uses the port that was free for the first one.
      port: address?.port ?? port,
      ...(reusePort && { reusePort }),
      onListen: isFirst ? onListen : (): void => {},
    }, fetch);
    address = server.addr;
    return server;
  };
  const server = listening(
    config,
    () => keepListening(listen, (error) => log("warn", "accept failed", { error: String(error) })),
  );
  for (const { description } of ready && !registry ? app.models.loaded() : []) {
    log("info", "ready", { ...nameOf(description), runtime: config.runtime });
  }
  surviveRejections(report);
  return {
    finished: server.finished,
    repository: app.models,
    metrics: app.metrics,
    stop: async (): Promise<number> => {
      const deadline = performance.now() + config.shutdownTimeoutMs;
      const unanswered = await drain(config.shutdownTimeoutMs);
      // Responses may still be on their way to slow clients.
      const left = deadline - performance.now();
      await Promise.race([server.shutdown(), new Promise((resolve) => setTimeout(resolve, left))]);
      return unanswered;
    },
  };
}

async function openModels(
  { models }: Config,
  create?: CreateSession,
  onIgnored?: (name: string) => void,
): Promise<ModelSource> {
  const { ModelFolder } = await import("./models/folder.ts");
  return new ModelFolder(models, create, onIgnored);
}

async function openFeedback({ feedbackStore }: Config): Promise<FeedbackStore> {
  const { openFolder } = await import("./feedback/folder.ts");
  return await openFolder(feedbackStore);
}

/** Serves the models of a folder, and looks for changes in it. */
function startRegistry(
  { config, log, make, source }: { config: Config; log: Log; make: MakeModel; source: ModelSource },
): ModelRegistry {
  const registry = new ModelRegistry({
    source,
    make,
    defaultName: config.model,
    memoryBytes: config.modelsMemoryBytes,
    onEvent: (event, fields) => log(event === "model rejected" ? "warn" : "info", event, fields),
  });
  const poll = async (): Promise<void> => {
    await registry.refresh().catch((error) => log("warn", "models unavailable", { error: String(error) }));
    Deno.unrefTimer(setTimeout(poll, config.modelsPollMs));
  };
  if (config.modelsPollMs > 0) Deno.unrefTimer(setTimeout(poll, config.modelsPollMs));
  return registry;
}

function nameOf({ name, version }: ModelDescription): Record<string, unknown> {
  return { model: name, version };
}

/**
 * Listens, on an address that the user chose.
 *
 * @throws {InputError} if it is not available
 */
export function listening<T>({ port, host }: Config, listen: () => T): T {
  try {
    return listen();
  } catch (error) {
    const message = error instanceof Deno.errors.AddrInUse
      ? `Cannot serve as port ${port} of ${host} is in use`
      : `Cannot serve on port ${port} of "${host}": ${(error as Error).message}`;
    throw new InputError("usage", message);
  }
}
