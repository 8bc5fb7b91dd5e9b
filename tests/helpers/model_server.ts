/** Servers of a folder of models, for tests. */
import { assertEquals } from "@std/assert";
import { type App, createApp } from "../../serve/app.ts";
import { readConfig } from "../../serve/config.ts";
import { ModelFolder } from "../../serve/models/folder.ts";
import { ModelRegistry, type RegistryOptions } from "../../serve/models/registry.ts";
import { createSession } from "../../shared/inference/ort.ts";
import type { CreateSession } from "../../shared/inference/session.ts";
import { LEFT } from "./model_folder.ts";

export interface ModelServer {
  app: App;
  registry: ModelRegistry;
  /** Number of sessions of ONNX Runtime that have not been released. */
  sessions: () => number;
  events: [string, Record<string, unknown>][];
}

/** Creates sessions and counts those that have not been released. */
export function countSessions(): { create: CreateSession; sessions: () => number } {
  let live = 0;
  return {
    create: async (bytes) => {
      const { release, ...session } = await createSession(bytes);
      live++;
      return {
        ...session,
        release: async (): Promise<void> => {
          live--;
          await release();
        },
      };
    },
    sessions: () => live,
  };
}

/** A server of the models in a folder, after its first look. */
export async function serve(
  folder: string,
  options: Partial<RegistryOptions> = {},
  env: Record<string, string> = {},
): Promise<ModelServer> {
  const { create, sessions } = countSessions();
  const events: ModelServer["events"] = [];
  const source = new ModelFolder(folder, create, (name) => events.push(["model ignored", { name }]));
  let registry!: ModelRegistry;
  const app = createApp({
    load: {
      models: (make) =>
        registry = new ModelRegistry({
          ...{ source, make, onEvent: (event, fields) => events.push([event, fields]) },
          ...options,
        }),
    },
    config: readConfig(env),
    report: (error) => events.push(["report", { error }]),
  });
  await registry.ready();
  return { app, registry, sessions, events };
}

export function classify(app: App, path: string): Promise<Response> {
  const headers = { "content-type": "application/octet-stream" };
  return Promise.resolve(app.request(path, { method: "POST", headers, body: LEFT }));
}

/** The label of an image of the left column. */
export async function labelOf(app: App, path: string): Promise<string> {
  const response = await classify(app, path);
  const body = await response.json();
  assertEquals(response.status, 200, JSON.stringify(body));
  return body.predictions[0].label;
}

export async function infer(
  app: App,
  path: string,
  headers: HeadersInit = {},
): Promise<Record<string, unknown>> {
  const response = await app.request(path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({
      inputs: [{ name: "image", shape: [1, 6], datatype: "UINT8", data: [...LEFT] }],
      outputs: [{ name: "probabilities", parameters: { classification: 1 } }],
    }),
  });
  return { status: response.status, ...await response.json() };
}
