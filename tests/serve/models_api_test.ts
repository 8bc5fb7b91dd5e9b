import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { createApp } from "../../serve/app.ts";
import { readConfig } from "../../serve/config.ts";
import { Classifier } from "../../shared/inference/classifier.ts";
import { sha256 } from "../../shared/sha256.ts";
import { assertProblem } from "../helpers/http.ts";
import { LABELS, putModel, shiftedModel } from "../helpers/model_folder.ts";
import { classify, infer, labelOf, serve } from "../helpers/model_server.ts";
import { inTemporaryFolder } from "../helpers/temporary_folder.ts";

const KEY = "0123456789abcdef";

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
