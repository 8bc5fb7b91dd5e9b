import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { type App, createApp } from "../../serve/app.ts";
import { readConfig } from "../../serve/config.ts";
import { ModelFolder } from "../../serve/models/folder.ts";
import { type ModelFile, ModelRegistry, type RegistryOptions } from "../../serve/models/registry.ts";
import { Classifier } from "../../shared/inference/classifier.ts";
import { createSession } from "../../shared/inference/ort.ts";
import type { CreateSession } from "../../shared/inference/session.ts";
import { sha256 } from "../../shared/sha256.ts";
import { assertProblem } from "../helpers/http.ts";
import { LABELS, LEFT, putModel, shiftedModel } from "../helpers/model_folder.ts";
import { inTemporaryFolder } from "../helpers/temporary_folder.ts";

const KEY = "0123456789abcdef";

interface Fixture {
  app: App;
  registry: ModelRegistry;
  /** Number of sessions of ONNX Runtime that have not been released. */
  sessions: () => number;
  events: [string, Record<string, unknown>][];
}

/** Creates sessions and counts those that have not been released. */
function countSessions(): { create: CreateSession; sessions: () => number } {
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
async function serve(
  folder: string,
  options: Partial<RegistryOptions> = {},
  env: Record<string, string> = {},
): Promise<Fixture> {
  const { create, sessions } = countSessions();
  const events: Fixture["events"] = [];
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

function classify(app: App, path: string): Promise<Response> {
  const headers = { "content-type": "application/octet-stream" };
  return Promise.resolve(app.request(path, { method: "POST", headers, body: LEFT }));
}

/** The label of an image of the left column. */
async function labelOf(app: App, path: string): Promise<string> {
  const response = await classify(app, path);
  const body = await response.json();
  assertEquals(response.status, 200, JSON.stringify(body));
  return body.predictions[0].label;
}

async function infer(app: App, path: string, headers: HeadersInit = {}): Promise<Record<string, unknown>> {
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

Deno.test("A folder whose name no model can have is ignored, and reported once", async () => {
  await inTemporaryFolder(async (folder) => {
    await putModel(`${folder}/plain`, shiftedModel(0));
    await putModel(`${folder}/shoes (new)`, shiftedModel(1));
    await Deno.writeTextFile(`${folder}/read me?.txt`, "");
    const { registry, events } = await serve(folder);
    await registry.refresh();
    assertEquals(registry.list().map(({ name }) => name), ["plain"]);
    assertEquals(events.filter(([event]) => event === "model ignored"), [["model ignored", {
      name: "shoes (new)",
    }]]);
  });
});

Deno.test("GET /model describes the model that has taken over", async () => {
  await inTemporaryFolder(async (folder) => {
    await putModel(`${folder}/plain`, shiftedModel(0));
    const { app, registry } = await serve(folder);
    const version = async (): Promise<string> => (await (await app.request("/v1/model")).json()).version;
    const page = async (): Promise<string> => await (await app.request("/model")).text();
    const before = await version();
    assertStringIncludes(await page(), before);
    await putModel(`${folder}/plain`, shiftedModel(1));
    await registry.refresh();
    const after = await version();
    assert(after !== before);
    assertStringIncludes(await page(), after);
  });
});

Deno.test("A server of several models answers under their names in all protocols", async () => {
  await inTemporaryFolder(async (folder) => {
    await putModel(`${folder}/plain`, shiftedModel(0));
    await putModel(`${folder}/numbered/2`, shiftedModel(1));
    await putModel(`${folder}/numbered/10`, shiftedModel(2));
    await Deno.mkdir(`${folder}/empty`);
    await putModel(`${folder}/.hidden`, shiftedModel(0));
    await putModel(`${folder}/numbered/.11`, shiftedModel(0));
    const { app } = await serve(folder, { defaultName: "plain" });
    assertEquals(await labelOf(app, "/v1/classify"), LABELS[0]);
    assertEquals(await labelOf(app, "/v1/models/plain/classify"), LABELS[0]);
    assertEquals(await labelOf(app, "/v1/models/numbered/classify"), LABELS[2], "10 is newer than 2");
    const { model_name, model_version, outputs } = await infer(app, "/v2/models/numbered/versions/2/infer");
    assertEquals([model_name, model_version], ["numbered", "2"]);
    assertMatch(JSON.stringify(outputs), /:1:middle/);
    const { versions } = await (await app.request("/v2/models/numbered")).json();
    assertEquals(versions, ["10", "2"]);
    assertEquals((await app.request("/v2/models/.hidden")).status, 404);
    assertEquals(await (await app.request("/v2/models/numbered/versions/2/ready")).json(), {
      name: "numbered",
      ready: true,
    });
    const file = await app.request("/v1/models/numbered/file");
    assertEquals(await file.bytes(), shiftedModel(2));
    const { models } = await (await app.request("/v1/models")).json();
    const described = models.map((
      model: Record<string, unknown>,
    ) => [model.name, model.version, model.is_current]);
    const version = (await sha256(shiftedModel(0))).slice(0, 12);
    assertEquals(described, [["numbered", "10", true], ["numbered", "2", false], ["plain", version, true]]);
    const { model_stats } = await (await app.request("/v2/models/stats")).json();
    const counts = model_stats.map((model: Record<string, unknown>) => [model.name, model.inference_count]);
    assertEquals(counts, [["numbered", 1], ["numbered", 1], ["plain", 2]]);

    await assertProblem(await classify(app, "/v1/models/other/classify"), 404, 'Unknown model "other"');
    const unknown = await infer(app, "/v2/models/numbered/versions/3/infer");
    assertEquals([unknown.status, unknown.error], [404, 'Unknown version "3": this server has "10, 2"']);
    await assertProblem(await classify(app, "/v1/models/empty/classify"), 404, "Unknown model");
  });
});

Deno.test("A server of several models without a default has routes with names only", async () => {
  await inTemporaryFolder(async (folder) => {
    const { app, registry } = await serve(folder);
    assertEquals((await app.request("/readyz")).status, 503);
    await putModel(`${folder}/a`, shiftedModel(0));
    await registry.refresh();
    assertEquals((await app.request("/readyz")).status, 200);
    assertEquals(await labelOf(app, "/v1/classify"), LABELS[0]);
    await putModel(`${folder}/b`, shiftedModel(1));
    await registry.refresh();
    await assertProblem(await classify(app, "/v1/classify"), 404, "This server has 2 models and no default");
    await Deno.remove(`${folder}/a`, { recursive: true });
    await registry.refresh();
    assertEquals(await labelOf(app, "/v1/classify"), LABELS[1]);
    await assertProblem(await classify(app, "/v1/models/a/classify"), 404, "Unknown model");
  });
});

Deno.test("A new file takes over without losing a request, and the old model is released", async () => {
  await inTemporaryFolder(async (folder) => {
    await putModel(`${folder}/m`, shiftedModel(0));
    const { app, registry, sessions } = await serve(folder);
    const versions: string[] = [];
    for (const shift of [0, 1, 2]) versions.push((await sha256(shiftedModel(shift))).slice(0, 12));
    const seen = new Set<string>();
    let answered = 0, asked = 0;
    let isOver = false;
    const ask = async (): Promise<void> => {
      while (!isOver) {
        const response = await classify(app, "/v1/models/m/classify");
        const { model, predictions } = await response.json();
        assertEquals(response.status, 200);
        assertEquals(
          predictions[0].label,
          LABELS[versions.indexOf(model.version)],
          "model and answer belong together",
        );
        seen.add(model.version);
        answered++;
      }
    };
    const clients = Array.from({ length: 16 }, ask);
    for (const shift of [1, 2]) {
      await putModel(`${folder}/m`, shiftedModel(shift));
      await registry.refresh();
      // Requests that come now get the new model.
      for (const end = answered + 64; answered < end; asked++) {
        assertEquals(await labelOf(app, "/v1/classify"), LABELS[shift]);
      }
    }
    isOver = true;
    await Promise.all(clients);
    assertEquals([...seen], versions);
    assert(answered > 100, `${answered}`);
    const { model_stats: [stats] } = await (await app.request("/v2/models/m/stats")).json();
    assertEquals(stats.inference_count, answered + asked, "the counters go on");
    await labelOf(app, "/v1/classify");
    const { model_stats: [after] } = await (await app.request("/v2/models/m/stats")).json();
    assertEquals(after.execution_count, stats.execution_count + 1);
    assertEquals(sessions(), 1);
  });
});

Deno.test("A file that fails its checks changes nothing, and the reason is shown", async () => {
  await inTemporaryFolder(async (folder) => {
    await putModel(`${folder}/m`, shiftedModel(0));
    const { app, registry, sessions, events } = await serve(folder);
    const cases: [Uint8Array, string | undefined, string][] = [
      [new Uint8Array(9), undefined, "Cannot read ONNX file"],
      [shiftedModel(1), "a".repeat(64), `its SHA-256 must be ${"a".repeat(64)}`],
      [shiftedModel(1), "short", "must start with 64 hexadecimal digits"],
    ];
    for (const [bytes, hash, reason] of cases) {
      if (hash !== undefined) await Deno.writeTextFile(`${folder}/m/model.onnx.sha256`, hash);
      await putModel(`${folder}/m`, bytes);
      await Promise.all([registry.refresh(), registry.refresh()]);
      await registry.refresh();
      assertEquals(await labelOf(app, "/v1/classify"), LABELS[0]);
      const [status] = (await (await app.request("/v1/models")).json()).models;
      assertStringIncludes(status.reason, reason);
      assertEquals([status.is_ready, status.is_loaded], [true, true]);
      const [event, fields] = events.at(-1)!;
      assertEquals(event, "model rejected");
      assertStringIncludes(String(fields.error), reason);
    }
    assertEquals(events.length, 1 + cases.length, "each file is tried once");
    assertEquals(sessions(), 1);
    await Deno.writeTextFile(
      `${folder}/m/model.onnx.sha256`,
      `${await sha256(shiftedModel(1))}  model.onnx\n`,
    );
    await registry.refresh();
    assertEquals(await labelOf(app, "/v1/classify"), LABELS[1]);
    assertEquals(registry.list()[0]!.reason, "");
  });
});

/** A model of a source that the test controls. */
function modelFile(signature: string, load: () => Promise<Classifier>): ModelFile {
  return { name: "m", signature, bytes: 1, load };
}

/** A registry of whatever files the test puts into the array. */
function registryOf(files: ModelFile[], isLazy = false): ModelRegistry {
  let registry!: ModelRegistry;
  createApp({
    load: {
      models: (make) =>
        registry = new ModelRegistry({ source: { list: () => Promise.resolve(files) }, make, isLazy }),
    },
    report: () => {},
  });
  return registry;
}

Deno.test("A file that could not be read is tried again when the model is loaded explicitly", async () => {
  let isReadable = false;
  const registry = registryOf([modelFile("1", async () => {
    if (!isReadable) throw new Error("no access");
    return await Classifier.load(shiftedModel(0));
  })]);
  assertEquals((await registry.ready()).ready, false);
  isReadable = true;
  await registry.refresh();
  assertEquals(registry.list()[0]!.reason, "no access", "not by a refresh: the file is the same");
  await registry.load("m");
  assertEquals((await registry.ready()).ready, true);
});

Deno.test("A file that is replaced while a request waits for it is released after the request", async () => {
  const { create, sessions } = countSessions();
  const gate = Promise.withResolvers<void>();
  const files = [modelFile("1", async () => {
    await gate.promise;
    return await Classifier.load(shiftedModel(0), create);
  })];
  const registry = registryOf(files, true);
  await registry.ready();
  const lease = registry.lease("m");
  const loading = lease.engine.classifier();
  files[0] = modelFile("2", () => Classifier.load(shiftedModel(1), create));
  await registry.refresh();
  gate.resolve();
  await loading;
  assertEquals(sessions(), 1);
  lease[Symbol.dispose]();
  await lease.engine.close();
  assertEquals(sessions(), 0);
});

Deno.test("A newer version that fails its checks leaves the older one current", async () => {
  await inTemporaryFolder(async (folder) => {
    await putModel(`${folder}/m/1`, shiftedModel(1));
    await putModel(`${folder}/m/2`, new Uint8Array(9));
    const { app } = await serve(folder);
    assertEquals((await app.request("/readyz")).status, 200);
    assertEquals(await labelOf(app, "/v1/classify"), LABELS[1]);
    assertEquals((await infer(app, "/v2/models/m/versions/2/infer")).status, 503);
    assertEquals((await app.request("/v2/models/m/versions/2/ready")).status, 503);
  });
});

Deno.test("Models without requests make room for others, and come back on demand", async () => {
  await inTemporaryFolder(async (folder) => {
    for (const [i, name] of ["a", "b", "c"].entries()) await putModel(`${folder}/${name}`, shiftedModel(i));
    const size = Math.max(...[0, 1, 2].map((shift) => shiftedModel(shift).length));
    const { app, registry, sessions } = await serve(folder, { memoryBytes: 2 * 3 * size });
    const loaded = (): string[] => registry.list().filter(({ isLoaded }) => isLoaded).map(({ name }) => name);
    assertEquals(loaded(), ["b", "c"], "a was used the longest time ago");
    const cases = [["b", 1, "b c"], ["a", 0, "a b"], ["b", 1, "a b"], ["c", 2, "b c"], [
      "a",
      0,
      "a c",
    ]] as const;
    for (const [name, shift, models] of cases) {
      assertEquals(await labelOf(app, `/v1/models/${name}/classify`), LABELS[shift]);
      assertEquals(loaded().join(" "), models, "the least recently used one was unloaded");
    }
    assertEquals((await app.request("/readyz")).status, 200);
    assertEquals((await app.request("/v2/models/b/ready")).status, 200, "a probe does not load it");
    assertEquals(loaded(), ["a", "c"]);
    {
      using a = registry.lease("a"), b = registry.lease("b"), c = registry.lease("c");
      for (const { engine } of [a, c, b]) await engine.classifier();
      assertEquals(loaded(), ["a", "b", "c"], "models with requests stay");
    }
    assertEquals(loaded().length, 2);
    // All of them at once: more than fit, but each is needed.
    const labels = await Promise.all(
      ["a", "b", "c", "a", "b", "c"].map((name) => labelOf(app, `/v1/models/${name}/classify`)),
    );
    assertEquals(labels, [...LABELS, ...LABELS]);
    assert(sessions() <= 2, `${sessions()} are loaded`);
    await putModel(`${folder}/broken`, new Uint8Array(size));
    await registry.refresh();
    for (const name of ["a", "b"]) await labelOf(app, `/v1/models/${name}/classify`);
    assertEquals(loaded(), ["a", "b"], "a file that fails takes no memory");
    await putModel(`${folder}/big`, new Uint8Array(2 * size + 1));
    await registry.refresh();
    assertStringIncludes(registry.list().find(({ name }) => name === "big")!.reason, "bytes of memory");
  });
});

Deno.test("Triton's repository extension lists, unloads and loads models", async () => {
  await inTemporaryFolder(async (folder) => {
    await putModel(`${folder}/good`, shiftedModel(0));
    await putModel(`${folder}/bad`, new Uint8Array(9));
    const headers = { authorization: `Bearer ${KEY}` };
    const { app, sessions } = await serve(folder, { defaultName: "good" }, { API_KEYS: KEY });
    const post = async (path: string, body?: unknown): Promise<[number, unknown]> => {
      const response = await app.request(`/v2/repository/${path}`, {
        method: "POST",
        headers,
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      return [response.status, await response.json()];
    };
    const version = (await sha256(shiftedModel(0))).slice(0, 12);
    const [status, index] = await post("index");
    assertEquals(status, 200);
    const [bad, good] = index as { name: string; state: string; reason: string }[];
    assertEquals([bad!.name, bad!.state], ["bad", "UNAVAILABLE"]);
    assertStringIncludes(bad!.reason, "Cannot read ONNX file");
    const ready = { name: "good", version, state: "READY", reason: "" };
    assertEquals(good, ready);
    assertEquals(await post("index", { ready: true }), [200, [ready]]);
    assertEquals((await post("index", { ready: 1 }))[0], 400);

    assertEquals(await post("models/good/unload"), [200, {}]);
    assertEquals(sessions(), 0);
    assertEquals((await infer(app, "/v2/models/good/infer", headers)).status, 404);
    assertEquals((await app.request("/readyz")).status, 503);
    assertEquals(await post("index", { ready: true }), [200, []]);
    assertEquals(await post("models/good/load"), [200, {}]);
    assertEquals((await infer(app, "/v2/models/good/infer", headers)).status, 200);

    const [failed, reason] = await post("models/bad/load");
    assertEquals(failed, 400);
    assertMatch((reason as { error: string }).error, /^Cannot load the model "bad": Cannot read ONNX file/);
    await putModel(`${folder}/bad`, shiftedModel(1));
    assertEquals(await post("models/bad/load"), [200, {}]);
    assertEquals((await post("models/none/load"))[0], 404);
    assertEquals((await app.request("/v2/repository/models/good/unload", { method: "POST" })).status, 401);
  });
});

Deno.test("Models are loaded and unloaded only by servers with API keys and a folder of models", async () => {
  await inTemporaryFolder(async (folder) => {
    await putModel(`${folder}/m`, shiftedModel(0));
    const { app } = await serve(folder);
    const response = await app.request("/v2/repository/models/m/unload", { method: "POST" });
    assertEquals([response.status, (await response.json()).error], [
      403,
      "This route needs an API key, and the server has none: set API_KEYS",
    ]);
    assertEquals((await infer(app, "/v2/models/m/infer")).status, 200);
  });
  const single = createApp({
    load: () => Classifier.load(shiftedModel(0)),
    report: () => {},
    config: readConfig({ API_KEYS: KEY }),
  });
  for (const action of ["load", "unload"]) {
    const response = await single.request(`/v2/repository/models/columns/${action}`, {
      method: "POST",
      headers: { authorization: `Bearer ${KEY}` },
    });
    assertEquals(response.status, 400);
    assertStringIncludes((await response.json()).error, "a single one");
  }
});
